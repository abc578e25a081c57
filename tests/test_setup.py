"""What a fresh clone relies on: interpreters are found, environments are built once and kept."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent

# Answers as an interpreter does to what setup.sh asks, and makes environments whose interpreter
# answers likewise; notes what it is asked to install.
STAND_IN = r"""#!/bin/sh
case "$*" in
    *Py_GIL_DISABLED*) echo "VERSION ANSWER" ;;
    *base_prefix*) echo "VERSION.1 IDENTITY" ;;
    *realpath*) echo "$0" ;;
    -V) echo "Python VERSION.1" ;;
    "-m venv "*)
        mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; sleep PAUSE; echo "$3" >>"IDENTITY.built" ;;
    *"pip "*) echo "Collecting $*" ;;
    "-c import venv"*) exit 0 ;;
    *) exit 3 ;;
esac
"""
TOOLS = (
    "bash cat cksum cut dirname env flock grep ln mkdir cp readlink rm sed sleep sort tail touch tr"
)


@pytest.fixture
def tools(tmp_path):
    """A PATH with what the script itself needs, and no Python."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for tool in TOOLS.split():
        os.symlink(shutil.which(tool), str(folder / tool))
    (folder / "uname").write_text("#!/bin/sh\necho x86_64")
    (folder / "uname").chmod(0o755)
    return folder


@pytest.fixture
def checkout(tmp_path):
    """A copy of what the script works on: it changes its checkout; /usr and /opt are empty."""
    folder = tmp_path / "check out"
    shutil.copytree(str(ROOT / "requirements"), str(folder / "requirements"))
    shutil.copy(str(ROOT / "pyproject.toml"), str(folder))
    script = folder / "scripts" / "setup.sh"
    script.parent.mkdir()
    shutil.copy(str(ROOT / "scripts" / "setup.sh"), str(script))
    text, count = re.subn(r"(?<= )/(usr|opt)(?=/)", r"%s/\1" % tmp_path, script.read_text())
    assert count >= 6
    script.write_text(text)
    return folder


@pytest.fixture
def run(tmp_path, tools, checkout):
    """Runs the copy of setup.sh with no interpreter but those of tmp_path/path."""

    def start(*arguments, **environment):
        path = "%s:%s" % (tmp_path / "path", tools)
        environment = dict({"PATH": path, "HOME": "/nonexistent"}, **environment)
        return subprocess.Popen(
            [str(checkout / "scripts" / "setup.sh"), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
            env=environment,
        )

    def run(*arguments, **environment):
        process = start(*arguments, **environment)
        process.stdout_text, process.stderr_text = process.communicate(timeout=60)
        return process

    run.start = start
    return run


def interpreter(folder: pathlib.Path, name: str, version: str, answer="64 full", pause=0):
    """A stand-in for an interpreter that says it is of `version`, or for a shim without one."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    text = STAND_IN if version else "#!/bin/sh\nexit 127"
    for word, value in (("VERSION", version), ("ANSWER", answer), ("PAUSE", str(pause))):
        text = text.replace(word, value)
    path.write_text(text.replace("IDENTITY", str(path)))
    path.chmod(0o755)
    return path


def built(*interpreters) -> list:
    """How many environments each interpreter has made."""
    notes = [pathlib.Path(str(path) + ".built") for path in interpreters]
    return [len(note.read_text().split("\n")) - 1 if note.exists() else 0 for note in notes]


def test_python_37_is_preferred_wherever_it_is(tmp_path, run):
    interpreter(tmp_path / "path", "python3.7", "")  # a shim whose version is not selected
    other = interpreter(tmp_path / "path", "python3.11", "3.11")
    pyenv = tmp_path / "pyenv"
    expected = interpreter(pyenv / "versions" / "3.7.16" / "bin", "python3.7", "3.7")
    for wish in ((), ("tf1",)):
        found = run("--find", *wish, PYENV_ROOT=str(pyenv))
        assert found.stdout_text.split() == ["tf1", str(expected)], found.stderr_text
    found = run("--find", "tf2", PYENV_ROOT=str(pyenv))
    assert found.stdout_text.split() == ["tf2", str(other)]


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
def test_each_python_of_the_second_runtime_serves_alone(version, tmp_path, run):
    expected = interpreter(tmp_path / "path", "python3", version)
    for wish, given in (("tf2", ""), ("auto", ""), ("auto", str(expected))):
        found = run("--find", wish, PYTHON=given)
        assert found.stdout_text.split() == ["tf2", str(expected)]


def test_conda_uv_and_usual_places_are_searched(tmp_path, run):
    usual = interpreter(tmp_path / "usr" / "bin", "python3.10", "3.10")
    found = run("--find")
    assert found.stdout_text.split() == ["tf2", str(usual)], found.stderr_text
    conda = interpreter(tmp_path / "miniconda3" / "envs" / "x" / "bin", "python3.7", "3.7")
    found = run("--find", "tf1", HOME=str(tmp_path))
    assert found.stdout_text.split() == ["tf1", str(conda)], found.stderr_text
    folder = tmp_path / ".local" / "share" / "uv" / "python" / "cpython-3.13.9-linux" / "bin"
    uv = interpreter(folder, "python3.13", "3.13")
    found = run("--find", "tf2", HOME=str(tmp_path))
    assert found.stdout_text.split() == ["tf2", str(uv)], found.stderr_text


def test_a_given_interpreter_is_used_or_refused(tmp_path, run):
    given = interpreter(tmp_path, "mine", "3.10")
    found = run("--find", PYTHON=str(given))
    assert found.stdout_text.split() == ["tf2", str(given)]
    refused = run("--find", "tf1", PYTHON=str(given))
    assert refused.returncode == 1 and "does not fit RUNTIME=tf1" in refused.stderr_text
    for version in ("3.9", "3.14", "3.13t"):
        interpreter(tmp_path, "mine", version)
        refused = run("--find", PYTHON=str(given))
        assert refused.returncode == 1 and "3.10 to 3.13" in refused.stderr_text


def test_what_is_wrong_is_one_sentence(tmp_path, run):
    for arguments in (("tf3",), ("--find", "both")):
        refused = run(*arguments)
        assert refused.returncode == 1 and not refused.stdout_text
        assert "use tf1 or tf2" in refused.stderr_text and refused.stderr_text.count("\n") == 1
    # One without venv is named with the remedy.
    interpreter(tmp_path / "path", "python3.7", "3.7", "64 bare")
    refused = run("--find", "tf1")
    assert "python3.7-venv" in refused.stderr_text and refused.stderr_text.count("\n") == 1


def test_a_machine_with_newer_versions_alone_is_told_what_serves(tmp_path, run):
    interpreter(tmp_path / "path", "python3", "3.14")
    for wish in ("auto", "tf2"):
        refused = run(wish)
        assert refused.returncode == 1 and refused.stderr_text.count("\n") == 1
        for words in ("3.10 to 3.13", "there is 3.14", "uv python install 3.13"):
            assert words in refused.stderr_text


def test_uv_gets_an_interpreter_where_none_fits(tmp_path, tools, run):
    interpreter(tmp_path / "path", "python3", "3.14")
    python = tmp_path / "elsewhere" / "python3.13"
    uv = tools / "uv"
    uv.write_text(
        "#!/bin/sh\necho $* >>%s/uv.log\n[ $2 = find ] && echo %s || exit 0" % (tmp_path, python)
    )
    uv.chmod(0o755)
    failed = run("tf2")
    assert failed.returncode == 1 and "uv python install 3.13, or pyenv" in failed.stderr_text
    interpreter(python.parent, python.name, "3.13")
    (tmp_path / "uv.log").unlink()
    done = run()
    assert done.returncode == 0, done.stderr_text
    assert done.stdout_text == ".venv-tf2\n" and built(python) == [1]
    assert (tmp_path / "uv.log").read_text().split("\n")[0] == "python install 3.13"
    assert run("--find").returncode == 1  # which builds and fetches nothing


def test_a_built_environment_stays_whatever_else_appears(tmp_path, checkout, run):
    first = interpreter(tmp_path / "path", "python3.11", "3.11")
    assert run("tf2", WITH="export").stdout_text == ".venv-tf2\n"
    second = interpreter(tmp_path / "path", "python3.13", "3.13")
    third = interpreter(tmp_path / "path", "python3", "3.11")
    for _ in range(2):
        done = run("tf2")
        assert (done.returncode, done.stdout_text, done.stderr_text) == (0, ".venv-tf2\n", "")
    assert (checkout / ".venv-tf2" / "with").read_text() == "export\n"
    # Other packages for the same interpreter.
    assert run("tf2", WITH="").returncode == 0
    assert built(first, second, third) == [2, 0, 0]
    # Another interpreter when it is asked for, and said to be meant.
    refused = run("tf2", PYTHON=str(second))
    assert refused.returncode == 1 and "add REBUILD=1" in refused.stderr_text
    assert run("tf2", PYTHON=str(first)).returncode == 0
    assert built(first, second) == [2, 0]
    assert run("tf2", PYTHON=str(second), REBUILD="1").returncode == 0
    assert built(first, second) == [2, 1]
    # A changed lock asks anew; an environment whose interpreter is gone does not stand in the way.
    with open(str(checkout / "requirements" / "tf2.txt"), "a") as lock:
        lock.write("another==1.0\n")
    second.unlink()
    assert run("tf2").returncode == 0
    assert sum(built(first, second, third)) == 4


def test_auto_keeps_what_it_chose_and_prefers_37_to_what_was_asked_for(tmp_path, run):
    second = interpreter(tmp_path / "path", "python3.13", "3.13")
    assert run("tf2").returncode == 0
    first = interpreter(tmp_path / "path", "python3.7", "3.7")
    assert run().stdout_text == ".venv-tf1\n"
    assert run().stdout_text == ".venv-tf1\n" and run("tf2").stdout_text == ".venv-tf2\n"
    assert built(first, second) == [1, 1]


def test_auto_goes_on_with_the_second_runtime(tmp_path, run):
    interpreter(tmp_path / "path", "python3.13", "3.13")
    assert run().stdout_text == ".venv-tf2\n"
    interpreter(tmp_path / "path", "python3.7", "3.7")
    assert run().stdout_text == ".venv-tf2\n" and run("tf1").stdout_text == ".venv-tf1\n"
    assert run().stdout_text == ".venv-tf1\n"


def test_two_at_a_time_build_once(tmp_path, run):
    python = interpreter(tmp_path / "path", "python3.12", "3.12", pause=2)
    both = [run.start("tf2", PYTHON=str(python)) for _ in range(2)]
    for process in both:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, ".venv-tf2\n"), err
    assert built(python) == [1]


def test_a_build_that_was_broken_off_begins_anew(tmp_path, checkout, run):
    python = interpreter(tmp_path / "path", "python3.12", "3.12")
    assert run("tf2", PYTHON=str(python)).returncode == 0
    (checkout / ".venv-tf2" / "stamp").unlink()
    assert run("tf2", PYTHON=str(python)).returncode == 0
    assert built(python) == [2]
