"""Mutants are tried by the tests that touch them, be it in a process that a test starts."""

import pathlib
import shutil
import subprocess
import sys

import pytest

from tests.support import bench, mutants, touched

pytestmark = pytest.mark.skipif(sys.version_info < (3, 12), reason="needs sys.monitoring")

SOURCE = """
LARGE = 9


def f(x):
    return x if x < 5 else LARGE


def g(x):
    return x + 2


def h(x):
    return x * 3
"""

TESTS = """
import resource
import subprocess
import sys

import pytest

from bsrn_estimator.data import number


def test_f():
    assert number.f(1) == 1
    assert number.f(8) == 9


@pytest.fixture(scope="module")
def wide():
    return number.g(1)


@pytest.mark.parametrize("name", ["a", "[b::c] d"])
def test_g(wide, name):
    assert wide == 3


def test_h():
    program = "from bsrn_estimator.data.number import h; print(h(4))"
    assert int(subprocess.check_output([sys.executable, "-c", program])) == 12


def test_without_room_on_the_disk():
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        assert number.f(1) == 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert number.g(1) == 3


def test_that_fails():
    assert number.f(1) == 2


@pytest.mark.skip(reason="why not")
def test_skipped():
    assert number.f(1) == 1
"""
FILE, TEST = "bsrn_estimator/data/number.py", "tests/bsrn_estimator/data/" + "test_number.py"
IN_SUPPORT = ("__init__", "pytest_server", "touched")


@pytest.fixture(scope="module")
def root(root, tmp_path_factory):
    """A repository of one room, with a TensorFlow of no weight."""
    made = tmp_path_factory.mktemp("repository")
    for name in ["tests/__init__.py"] + ["tests/support/%s.py" % name for name in IN_SUPPORT]:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(str(root / name), str(made / name))
    for name, text in (
        (FILE, SOURCE),
        (TEST, TESTS),
        ("bsrn_estimator/compat.py", "class tf:\n    __version__ = '0'\n"),
        ("bsrn_estimator/__init__.py", ""),
        ("bsrn_estimator/data/__init__.py", ""),
        ("pyproject.toml", '[tool.pytest.ini_options]\naddopts = "--import-mode=importlib"\n'),
    ):
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(text)
    return made


@pytest.fixture(scope="module")
def tried(root, tmp_path_factory):
    """A bench, and what the tests touch there."""
    patch = pytest.MonkeyPatch()
    cache = tmp_path_factory.mktemp("cache")
    patch.setattr(bench, "_cache", lambda: cache)
    patch.setattr(
        bench, "files_of", lambda at: [str(p.relative_to(at)) for p in at.rglob("*") if p.is_file()]
    )
    made = bench.Bench(root, str(tmp_path_factory.mktemp("bench")))
    passing, failing = made.touching(TEST)
    made.expect(passing)
    yield made, passing, failing
    made.close()
    patch.undo()


def test_what_a_test_touches(tried):
    _, passing, failing = tried
    assert [name.split("::", 1)[1] for name in failing] == ["test_that_fails"]
    touched = {test.name.split("::", 1)[1]: sorted(test.lines[FILE]) for test in passing}
    # Of a fixture that several share, and in a command.
    assert touched == {
        "test_f": [6],
        "test_g[a]": [10],
        "test_g[[b::c] d]": [10],
        "test_h": [14],
        "test_without_room_on_the_disk": [10],
    }
    assert all(test.seconds >= 0 for test in passing)


def test_work_of_processes_that_stay_counts():
    """A test has commands made by a server that outlives it, and so do the commands' seconds."""
    # By the clock that counts them, whose hundredths are rounded down.
    work = "while sum(os.times()[:2]) < 0.3: pass"
    inner = "subprocess.check_call([sys.executable, '-c', 'import os\\n%s'])" % work
    program = "import subprocess, sys\n%s\nprint(flush=True)\nsys.stdin.read()" % inner
    before = touched._cpu_seconds()
    arguments = [sys.executable, "-c", program]
    with subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        during = touched._cpu_seconds() - before
        process.stdin.close()
    assert 0.3 <= during < 3
    assert touched._cpu_seconds() - before >= during


def test_a_recording_holds_until_a_source_changes(tried, root, monkeypatch):
    made, passing, _ = tried
    monkeypatch.setattr(made, "_record", lambda file: pytest.fail("it is recorded again"))
    assert made.touching(TEST)[0] == passing
    copied = made._copy / FILE
    copied.write_text(SOURCE + "\n")
    monkeypatch.setattr(made, "_record", lambda file: {"tests": [], "of": {}})
    assert made.touching(TEST) == ([], [])
    copied.write_text(SOURCE)


def test_what_no_test_sees_survives(tried, root):
    made, passing, _ = tried
    noticed = {}
    for place in mutants.places(root, ["data"]):
        stages = mutants.stages(place, passing, 100)
        by, _ = made.noticed_by(place.file, place.mutant.source, stages)
        noticed["%s -> %s" % (place.mutant.before, place.mutant.after)] = by and by.split("::")[1]
    survivors = {change for change, by in noticed.items() if by is None}
    assert survivors == {"x < 5 -> (x <= 5)", "5 -> 6"}
    assert noticed["9 -> 10"] == noticed["return x if x < 5 else LARGE -> return None"] == "test_f"
    assert noticed["x + 2 -> (x - 2)"].startswith("test_g") and noticed["3 -> 4"] == "test_h"


def test_one_that_never_ends_counts_as_noticed(tried, root, monkeypatch):
    made, passing, _ = tried
    endless = SOURCE.replace("return x + 2", "while True: pass")
    (test,) = [test for test in passing if test.name.endswith("[a]")]
    with monkeypatch.context() as quickly:
        quickly.setattr(bench, "_LEAST_SECONDS", 4)
        by, _ = made.noticed_by(FILE, endless, [[test]])
    assert by.endswith(", which did not end")
    # And the bench goes on.
    assert made.noticed_by(FILE, SOURCE, [[test]])[0] is None
    by, _ = made.noticed_by(FILE, "syntax error", [[test]])
    assert by.startswith("the collection of ")


def test_a_change_of_ones_own(root):
    place = mutants.edited(root, FILE, "x * 3", "x * 4")
    assert (place.room, place.mutant.line, place.mutant.first) == ("data", 14, 14)
    assert place.mutant.source == SOURCE.replace("x * 3", "x * 4")
    for text in ("return x", "no such text"):
        with pytest.raises(ValueError, match="times, not once"):
            mutants.edited(root, FILE, text, "")


def _touching(file, name, seconds, *lines, fixtures=()):
    return bench.Touching(
        "%s::%s" % (file, name), seconds, dict(fixtures), {FILE: frozenset(lines)}
    )


def test_the_own_quick_tests_come_first_and_dear_ones_last():
    place = mutants.Place("data", FILE, mutants.mutation.mutants_of(SOURCE)[1])
    first = place.mutant.first
    shared = [("fixture", 30.0)]
    tests = [
        _touching("b/test_other.py", "dear", 50.0, first),
        _touching("b/test_other.py", "quick", 0.2, first),
        _touching("a/test_number.py", "slow", 1.0, first, 1),
        _touching("a/test_number.py", "quick", 0.5, first),
        _touching("a/test_number.py", "blind", 0.1, first + 1),
        _touching("c/test_shared.py", "one", 1.0, first, fixtures=shared),
        _touching("c/test_shared.py", "two", 1.0, first, fixtures=shared),
    ]

    def order(most):
        found = mutants.stages(place, tests, most)
        return [[test.name.split("/")[1] for test in stage] for stage in found]

    assert order(100) == [
        ["test_number.py::quick", "test_number.py::slow"],
        ["test_other.py::quick"],
        ["test_shared.py::one", "test_shared.py::two"],
        ["test_other.py::dear"],
    ]
    assert order(34.5) == order(100)[:3] and order(0.5) == [["test_number.py::quick"]]


def test_a_sample_has_the_share_of_each_room():
    mutant = mutants.mutation.mutants_of("x = 1\n")[0]
    found = [mutants.Place(room, str(n), mutant) for room in "aab" for n in range(50)]
    chosen = mutants.drawn(found, 30, seed=3)
    assert [sum(place.room == room for place in chosen) for room in "ab"] == [20, 10]
    assert chosen == mutants.drawn(found, 30, seed=3) != mutants.drawn(found, 30, seed=4)
    assert len({id(place) for place in chosen}) == 30


def test_the_interval_is_wilsons():
    """Values of R: prop.test(81, 263, correct=FALSE), the example of Newcombe 1998."""
    low, high = mutants.interval(81, 263)
    assert (round(low, 4), round(high, 4)) == (0.2553, 0.3662)
    assert mutants.interval(20, 20)[1] == pytest.approx(1)
    assert pathlib.Path(mutants.ROOT / "Makefile").exists()
