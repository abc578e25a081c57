"""The mutants of a source file: small changes, one at a time, that some test should notice.

Left alone are docstrings, annotations, what a sentence to the user says, and the lists of names at
the top of a module; a mutant that only they could tell from the original is none.
"""

import ast
from typing import Iterator, List, NamedTuple, Tuple, Type

# Needs Python 3.9 or newer, to write an expression down.

_COMPARISONS: List[Tuple[Type[ast.cmpop], Type[ast.cmpop]]] = [
    (ast.Lt, ast.LtE),
    (ast.LtE, ast.Lt),
    (ast.Gt, ast.GtE),
    (ast.GtE, ast.Gt),
    (ast.Eq, ast.NotEq),
    (ast.NotEq, ast.Eq),
    (ast.Is, ast.IsNot),
    (ast.IsNot, ast.Is),
    (ast.In, ast.NotIn),
    (ast.NotIn, ast.In),
]
_ARITHMETIC: List[Tuple[Type[ast.operator], Type[ast.operator]]] = [
    (ast.Add, ast.Sub),
    (ast.Sub, ast.Add),
    (ast.Mult, ast.FloorDiv),
    (ast.Div, ast.Mult),
    (ast.FloorDiv, ast.Mult),
]
# Calls whose text is read by people, and what is said of a parameter.
_TALK = {"UserError", "RunFailed", "Diverged", "print", "setting", "progress", "ValueError"}


class Mutant(NamedTuple):
    """One change of a source.

    Attributes:
      line: where it is, from 1 on.
      before, after: the text that is changed, and what takes its place.
      source: the whole file, changed.
      first, last: a test that executes none of these lines cannot notice it: those of the statement
        within a function, of the function for what stands in its head, else of the whole file.
    """

    line: int
    before: str
    after: str
    source: str
    first: int
    last: int


def mutants_of(source: str) -> List[Mutant]:
    """All mutants of a file, in the order of its lines.

    Args:
      source: the text of a Python file.

    Raises:
      SyntaxError: it is none.
    """
    found = []
    tree = ast.parse(source)
    for node, after in _changes(tree):
        start, end = _span(source, node)
        before = source[start:end]
        if before and before != after:
            text = source[:start] + after + source[end:]
            words = " ".join(before.split())
            found.append(Mutant(node.lineno, words, after, text, *lines_around(tree, node.lineno)))
    return sorted(found, key=lambda mutant: mutant.line)


def lines_around(tree: ast.AST, line: int) -> Tuple[int, int]:
    """`first` and `last` of a mutant in a line of a file; see `Mutant`."""
    first, last = 1, 10**6
    inside = False
    node = tree
    while True:
        within = [s for s in _statements(node) if s.lineno <= line <= s.end_lineno]
        if not within:
            break
        node = within[0]
        begins = min([s.lineno for s in _statements(node)], default=node.end_lineno + 1)
        is_function = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
        if inside:
            first, last = node.lineno, min(node.end_lineno, max(begins - 1, node.lineno))
        elif is_function:
            first, last = node.lineno, node.end_lineno
        inside = inside or is_function
    return first, last


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Those right below it, of whatever kind its parts are."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        elif not isinstance(child, ast.expr):
            yield from _statements(child)


def _span(source: str, node) -> Tuple[int, int]:
    """Where a node begins and ends in the text."""
    lines = source.splitlines(keepends=True)

    def place(line: int, column: int) -> int:
        # Columns count bytes of UTF-8.
        within = len(lines[line - 1].encode()[:column].decode())
        return sum(map(len, lines[: line - 1])) + within

    return place(node.lineno, node.col_offset), place(node.end_lineno, node.end_col_offset)


def _changes(node: ast.AST) -> Iterator[Tuple[ast.AST, str]]:
    """(a node, what may stand in its place) below `node`."""
    yield from _of_node(node)
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "type_comment"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_talk(child):
                yield from _changes(child)


def _is_talk(node: ast.AST) -> bool:
    """Whether nothing below it is looked at."""
    if isinstance(node, (ast.Import, ast.ImportFrom, ast.JoinedStr)):
        return True
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return True
    called = getattr(node, "func", None)
    return getattr(called, "id", getattr(called, "attr", None)) in _TALK


def _of_node(node: ast.AST) -> Iterator[Tuple[ast.AST, str]]:
    if isinstance(node, ast.Compare) and len(node.ops) == 1:
        for old, new in _COMPARISONS:
            if isinstance(node.ops[0], old):
                yield node, _text(ast.Compare(node.left, [new()], node.comparators))
    elif isinstance(node, ast.BinOp) and not _is_text(node.left):
        for one, other in _ARITHMETIC:
            if isinstance(node.op, one):
                yield node, _text(ast.BinOp(node.left, other(), node.right))
    elif isinstance(node, ast.BoolOp):
        other_kind = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        yield node, _text(ast.BoolOp(other_kind, node.values))
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield node, _text(node.operand)
    elif isinstance(node, ast.Constant):
        yield from _of_constant(node)
    elif isinstance(node, (ast.If, ast.IfExp, ast.While)):
        yield node.test, "(not %s)" % _text(node.test)
    elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        if not _is_talk(node.value):
            yield node, "pass"
    elif isinstance(node, ast.Return) and node.value is not None:
        if not isinstance(node.value, ast.Constant) or node.value.value is not None:
            yield node, "return None"
    elif isinstance(node, ast.Call):
        for keyword in node.keywords:
            if keyword.arg:
                others = [other for other in node.keywords if other is not keyword]
                yield node, _text(ast.Call(node.func, node.args, others))


def _of_constant(node: ast.Constant) -> Iterator[Tuple[ast.AST, str]]:
    if isinstance(node.value, bool):
        yield node, str(not node.value)
    elif isinstance(node.value, (int, float)):
        yield node, repr(node.value + 1)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _text(node: ast.AST) -> str:
    """An expression, in brackets where it could bind otherwise in its new place."""
    text = ast.unparse(ast.fix_missing_locations(node))
    return text if isinstance(node, (ast.Call, ast.Constant, ast.Name)) else "(%s)" % text
