"""What a fresh clone relies on: interpreters are found, locks pin everything, commands exist."""

import os
import pathlib
import re
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PIN = re.compile(r"([A-Za-z0-9._-]+)==([A-Za-z0-9.+!]+)( ; python_version [<>=]+ \"3\.\d+\")?")


def text_of(path: pathlib.Path) -> str:
    """The content of a text file."""
    return path.read_text(encoding="utf-8")


def setup(*arguments, **environment):
    """Runs scripts/setup.sh in an environment of nothing but what is given."""
    environment = dict({"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}, **environment)
    return subprocess.run(
        [str(ROOT / "scripts" / "setup.sh"), *arguments],
        capture_output=True,
        text=True,
        env=environment,
    )


def interpreter(folder: pathlib.Path, name: str, version: str, answer: str = "64 full"):
    """A stand-in for an interpreter that says it is of `version`."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n" + ("echo %s %s" % (version, answer) if version else "exit 127"))
    path.chmod(0o755)
    return path


@pytest.fixture
def tools(tmp_path):
    """A PATH with what the script itself needs, and no Python."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for tool in ("bash", "dirname", "uname", "cut", "env"):
        os.symlink("/usr/bin/" + tool, str(folder / tool))
    (folder / "uname").unlink()
    (folder / "uname").write_text("#!/bin/sh\necho x86_64")
    (folder / "uname").chmod(0o755)
    return folder


def test_python_37_is_preferred_wherever_it_is(tmp_path, tools):
    interpreter(tmp_path / "path", "python3.7", "")  # a shim whose version is not selected
    interpreter(tmp_path / "path", "python3.11", "3.11")
    pyenv = tmp_path / "pyenv"
    expected = interpreter(pyenv / "versions" / "3.7.16" / "bin", "python3.7", "3.7")
    path = "%s:%s" % (tmp_path / "path", tools)
    for wish in ((), ("tf1",)):
        found = setup("--find", *wish, PATH=path, PYENV_ROOT=str(pyenv))
        assert found.stdout.split() == ["tf1", str(expected)], found.stderr
    found = setup("--find", "tf2", PATH=path, PYENV_ROOT=str(pyenv))
    assert found.stdout.split() == ["tf2", str(tmp_path / "path" / "python3.11")]


def test_conda_environments_are_searched(tmp_path, tools):
    expected = interpreter(tmp_path / "miniconda3" / "envs" / "x" / "bin", "python3.7", "3.7")
    found = setup("--find", "tf1", PATH=str(tools), HOME=str(tmp_path))
    assert found.stdout.split() == ["tf1", str(expected)], found.stderr


def test_a_given_interpreter_is_used_or_refused(tmp_path, tools):
    given = interpreter(tmp_path, "mine", "3.10")
    found = setup("--find", PATH=str(tools), PYTHON=str(given))
    assert found.stdout.split() == ["tf2", str(given)]
    refused = setup("--find", "tf1", PATH=str(tools), PYTHON=str(given))
    assert refused.returncode == 1 and "does not fit RUNTIME=tf1" in refused.stderr
    interpreter(tmp_path, "mine", "3.12")
    refused = setup("--find", PATH=str(tools), PYTHON=str(given))
    assert refused.returncode == 1 and "3.9 to 3.11" in refused.stderr


def test_what_is_wrong_is_one_sentence(tmp_path, tools):
    for arguments, words in ((("tf3",), "use tf1 or tf2"), (("--find", "both"), "use tf1 or tf2")):
        refused = setup(*arguments)
        assert refused.returncode == 1 and not refused.stdout
        assert words in refused.stderr and refused.stderr.count("\n") == 1
    # Python 3.8 and 3.12 fit neither runtime; one without venv is named with the remedy.
    interpreter(tmp_path / "path", "python3.7", "3.7", "64 bare")
    interpreter(tmp_path / "path", "python3", "3.12")
    refused = setup("--find", "tf1", PATH="%s:%s" % (tmp_path / "path", tools))
    if not refused.stdout:  # this machine may have one in a usual place
        assert "python3.7-venv" in refused.stderr and refused.stderr.count("\n") == 1


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_locks_pin_everything_and_name_no_host(lock):
    lines = [line for line in text_of(lock).splitlines() if not line.startswith("#")]
    assert lines
    for line in lines:
        assert PIN.fullmatch(line), line


def test_locks_of_a_runtime_agree():
    for runtime in ("tf1", "tf2"):
        pins = {}
        for lock in LOCKS:
            if not lock.name.startswith(runtime) or "gpu" in lock.name:
                continue
            for name, version, marker in PIN.findall(text_of(lock)):
                key = name.lower().replace("_", "-"), marker
                assert pins.setdefault(key, version) == version, (name, lock.name)


def test_the_package_serves_both_runtimes():
    text = text_of(ROOT / "pyproject.toml")
    assert "\"tensorflow==1.15.0; python_version < '3.8'\"" in text
    assert "\"tensorflow==2.15.1; python_version >= '3.9'\"" in text
    pinned = dict(
        (name.lower(), version)
        for name, version, _ in PIN.findall(text_of(ROOT / "requirements" / "tf1.txt"))
    )
    for name, version in re.findall(r'"([\w-]+)==([\d.]+); python_version < \'3.8\'"', text):
        if name in pinned:
            assert pinned[name] == version
