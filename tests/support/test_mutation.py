"""Which mutants a source has, and what a copy of the repository makes of them."""

import sys

import pytest

from tests.support import mutants, mutation

pytestmark = pytest.mark.skipif(sys.version_info < (3, 9), reason="needs ast.unparse")

SOURCE = '''"""Words: 1 < 2."""
import os


def f(a: int = 3, *, ready: bool = True) -> int:
    """Says 4 < 5."""
    if a < 7 and ready:
        os.remove("ä" * a)
        raise UserError("more than %d" % 8)
    return g(a, deep=not ready)
'''


def _changes(source):
    return {(m.line, m.before, m.after) for m in mutation.mutants_of(source)}


def test_each_kind_of_change_is_made_once():
    assert _changes(SOURCE) == {
        (5, "3", "4"),
        (5, "True", "False"),
        (7, "a < 7 and ready", "(a < 7 or ready)"),
        (7, "a < 7 and ready", "(not (a < 7 and ready))"),
        (7, "a < 7", "(a <= 7)"),
        (7, "7", "8"),
        (8, 'os.remove("ä" * a)', "pass"),
        (10, "return g(a, deep=not ready)", "return None"),
        (10, "g(a, deep=not ready)", "g(a)"),
        (10, "not ready", "ready"),
    }


def test_a_mutant_is_the_source_but_for_one_place():
    (mutant,) = [m for m in mutation.mutants_of(SOURCE) if m.after == "pass"]
    assert mutant.source == SOURCE.replace('os.remove("ä" * a)', "pass")
    for mutant in mutation.mutants_of(SOURCE):
        compile(mutant.source, "mutant", "exec")


@pytest.mark.parametrize("source", ["x = 'a' % 3 + y", "def f() -> 'g(1)': ...", "", "f'{1}'"])
def test_talk_and_annotations_are_left_alone(source):
    assert not [m for m in mutation.mutants_of(source) if m.before not in ("3", "'a' % 3 + y")]


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A room with a function, a test that sees half of it, and a copy of both."""
    root = tmp_path / "root"
    room, tests = root / "bsrn_estimator/data", root / "tests/bsrn_estimator/data"
    for folder in (room, tests):
        folder.mkdir(parents=True)
    (room / "number.py").write_text("def f(x):\n    return x if x < 5 else 9\n")
    (tests / "test_number.py").write_text(
        "from bsrn_estimator.data.number import f\n\n\ndef test():\n    assert f(1) == 1\n"
        "    assert f(8) == 9\n"
    )
    monkeypatch.setattr(
        mutants.subprocess, "check_output", lambda *a, **k: b"\0".join(_files(root))
    )
    return root, mutants.Copy(root, str(tmp_path / "copy"))


def _files(root):
    return [str(path.relative_to(root)).encode() for path in root.rglob("*.py")]


def test_what_no_test_sees_survives(copy):
    root, copied = copy
    found = mutants.places(root, ["data"])
    survived = {str(place) for place in found if copied.survives(place, 60)}
    assert survived == {
        "bsrn_estimator/data/number.py:2: x < 5 -> (x <= 5)",
        "bsrn_estimator/data/number.py:2: 5 -> 6",
    }
    assert len(found) == 5


def test_one_that_never_ends_counts_as_noticed(copy):
    root, copied = copy
    (place,) = mutants.places(root, ["data"])[:1]
    endless = place.mutant._replace(source="def f(x):\n    while True:\n        pass\n")
    assert not copied.survives(place._replace(mutant=endless), 5)
