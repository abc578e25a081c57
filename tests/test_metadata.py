"""Locks pin everything, all that names versions names the same, what README tells to run exists."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+)( ; python_version [<>=]+ \"3\.\d+\")?")


def text_of(*path: str) -> str:
    """The content of a text file of the project."""
    return ROOT.joinpath(*path).read_text(encoding="utf-8")


def pins_of(lock: str) -> dict:
    """The versions that a lock pins, by package and marker."""
    return {
        (name.lower().replace("_", "-"), marker): version
        for name, version, marker in PIN.findall(text_of("requirements", lock + ".txt"))
    }


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_pin_everything_and_name_no_host(lock):
    lines = [line for line in lock.read_text().splitlines() if not line.startswith("#")]
    assert lines
    for line in lines:
        assert PIN.fullmatch(line), line


def test_locks_of_a_runtime_agree():
    for runtime in ("tf1", "tf2"):
        pins = {}
        for lock in LOCKS:
            if not lock.name.startswith(runtime) or "gpu" in lock.name:
                continue
            for key, version in pins_of(lock.stem).items():
                assert pins.setdefault(key, version) == version, (key, lock.name)


def pythons_of(runtime: str) -> list:
    """The versions of Python that setup.sh takes for a runtime, the oldest first."""
    pattern = r"^ +%s\) echo \"([\d. ]+)\" ;;$" % runtime
    (versions,) = re.findall(pattern, text_of("scripts", "setup.sh"), re.MULTILINE)
    return sorted(versions.split(), key=lambda version: int(version.split(".")[1]))


def test_setup_metadata_documents_and_locks_name_the_same_versions():
    first, second = pythons_of("tf1"), pythons_of("tf2")
    span = "%s to %s" % (second[0], second[-1])
    tf1 = pins_of("tf1")["tensorflow", ""]
    tf2 = pins_of("tf2")["tensorflow-cpu", ""]
    assert pins_of("tf2-gpu")["tensorflow", ""] == tf2
    assert pins_of("tf1-gpu")["tensorflow-gpu", ""] == tf1

    project = text_of("pyproject.toml")
    minors = [int(version.split(".")[1]) for version in first + second]
    gaps = "".join(",!=3.%d.*" % m for m in range(minors[0], minors[-1]) if m not in minors)
    ends = minors[0], gaps, minors[-1] + 1
    assert 'requires-python = ">=3.%d%s,<3.%d"' % ends in project
    assert re.findall(r"Python :: (3\.\d+)\"", project) == first + second
    for name, version in (("tensorflow", tf2), ("tensorflow[and-cuda]", tf2)):
        assert "\"%s==%s; python_version >= '%s'\"" % (name, version, second[0]) in project
    for name in ("tensorflow", "tensorflow-gpu"):
        assert "\"%s==%s; python_version < '3.8'\"" % (name, tf1) in project
    assert set(re.findall(r"python_version (?:<|>=) '(3\.\d+)'", project)) == {"3.8", second[0]}

    assert "| `tf1` | %s | %s |" % (first[0], tf1) in text_of("README.md")
    assert "| `tf2` | %s | %s |" % (span, tf2) in text_of("README.md")
    for path in ("Makefile", "scripts/setup.sh", "pyproject.toml", "requirements/tf2.txt"):
        said = " ".join(text_of(path).replace("#", " ").split())
        assert span in said and tf2 in said, path
    assert span in text_of(".ci", "run")
    # Nothing else that looks like a range of versions.
    for path in ("README.md", "Makefile", "scripts/setup.sh", "pyproject.toml", ".ci/run"):
        assert set(re.findall(r"\b3\.\d+ to 3\.\d+\b", text_of(path))) <= {span}, path


def test_the_adapter_says_what_the_locks_have():
    adapter = text_of("bsrn_estimator", "estimator_adapter.py")
    pins = pins_of("tf2")
    assert 'VERSION = "%s"' % pins["tensorflow-estimator", ""] in adapter
    assert 'TENSORFLOW = "%s"' % pins["tensorflow-cpu", ""] in adapter


@pytest.mark.parametrize("runtime, marker", [("tf1", r"< '3\.8'"), ("tf2", r">= '3\.10'")])
def test_exact_versions_of_the_project_are_those_of_the_locks(runtime, marker):
    pinned = {}
    for lock in LOCKS:
        if lock.stem.split("-")[0] == runtime:
            pinned.update((name, version) for (name, _), version in pins_of(lock.stem).items())
    project = text_of("pyproject.toml")
    found = re.findall(r'"([\w-]+)==([\d.]+); python_version %s"' % marker, project)
    assert found
    for name, version in found:
        assert pinned[name] == version, name


def test_what_the_readme_tells_to_run_exists():
    text = text_of("README.md")
    makefile = text_of("Makefile")
    for target in set(re.findall(r"\bmake ([a-z]+)", text)):
        assert re.search(r"^%s:" % target, makefile, re.MULTILINE), target
    for path in set(re.findall(r"\b(?:docs|scripts|configs|data_tools|benchmarks)/[\w./-]+", text)):
        assert (ROOT / path.rstrip(".")).exists(), path
    for module in set(re.findall(r"python -m ([\w.]+)", text)):
        path = ROOT.joinpath(*module.split("."))
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module
