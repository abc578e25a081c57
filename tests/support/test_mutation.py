"""Which mutants a source has."""

import ast
import sys

import pytest

from tests.support import mutation

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


@pytest.mark.parametrize(
    "line, lines",
    [
        (1, (1, 10**6)),  # what a module executes when it is imported
        (4, (4, 9)),  # a default belongs to its function
        (6, (6, 7)),
        (8, (8, 8)),
        (9, (9, 9)),
    ],
)
def test_a_mutant_can_be_noticed_by_who_executes_its_statement(line, lines):
    source = "A = 1\n\n\ndef f(a, b=2):\n    if a:\n        a = g(\n            3)\n"
    source += "    while 1 < a: pass\n    return 5\n"
    assert mutation.lines_around(ast.parse(source), line) == lines
