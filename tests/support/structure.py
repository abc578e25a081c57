"""How the packages are built: their modules, and who imports whom.

    python -m tests.support.structure [FOLDER]

prints the modules of `bsrn_estimator` and `data_tools` below FOLDER (by default this repository)
folder by folder, and counts: rooms, storeys, arrows and circles. Sources are parsed, not imported,
so the count includes imports within functions.

A *room* is a file at the top of `bsrn_estimator`, a package in it with all that it holds, or
`data_tools`. An *arrow* is one room that imports another; *storeys* is the number of rooms on the
longest chain of arrows; a *circle* is a set of files, or of rooms, that import one another,
directly or by way of each other.
"""

import argparse
import ast
import os
import pathlib
import re
import sys
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PACKAGES = ("bsrn_estimator", "data_tools")
_INIT = "__init__"

Graph = Dict[str, Set[str]]


class Module(NamedTuple):
    """A source file.

    Attributes:
      name: as Python imports it, such as `bsrn_estimator.serve.app`; that of an `__init__.py` is
        its package.
      path: the file.
      lines: how many it has.
      imports: names of the modules of `PACKAGES` that it imports anywhere.
      imports_at_once: those of them that are imported with it, not within a function.
    """

    name: str
    path: pathlib.Path
    lines: int
    imports: Set[str]
    imports_at_once: Set[str]

    @property
    def folder(self) -> str:
        """The package that its file lies in."""
        return self.name if self.path.stem == _INIT else self.name.rpartition(".")[0]


def modules_of(root: pathlib.Path, packages: Sequence[str] = PACKAGES) -> Dict[str, Module]:
    """Every module of the packages below `root`, by name.

    Raises:
      SyntaxError: a file is not Python.
    """
    paths = {}
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            paths[".".join(parts[:-1] if parts[-1] == _INIT else parts)] = path
    found = {}
    for name, path in paths.items():
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text, str(path))
        package = name if path.stem == _INIT else name.rpartition(".")[0]
        imports = set(_imported(ast.walk(tree), package, paths)) - {name}
        at_once = set(_imported(_outside_functions(tree), package, paths)) - {name}
        found[name] = Module(name, path, len(text.splitlines()), imports, at_once)
    return found


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            yield child
            yield from _outside_functions(child)


def _imported(nodes: Iterable[ast.AST], package: str, known: Iterable[str]) -> Iterator[str]:
    """Those of the modules `known` that import statements among `nodes` name."""
    for node in nodes:
        names: List[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join(above + ([base] if base else []))
            names = ["%s.%s" % (base, alias.name) for alias in node.names]
        for name in names:
            # `from a.b import c` is of the module a.b.c, or of c in a.b.
            while name and name not in known:
                name = name.rpartition(".")[0]
            if name:
                yield name


def room_of(name: str) -> str:
    """The room of a module, as the table of levels calls it; `__init__` for the first package's."""
    package, *rest = name.split(".")
    if package != PACKAGES[0]:
        return package
    return rest[0] if rest else _INIT


def file_graph(modules: Dict[str, Module]) -> Graph:
    """Which module imports which; the top of the first package is left out, see `violations`."""
    top = {PACKAGES[0]}
    return {name: module.imports - top for name, module in modules.items() if name not in top}


def room_graph(modules: Dict[str, Module]) -> Graph:
    """Which room imports which other; the top of the first package is left out."""
    graph: Graph = {}
    for name, module in modules.items():
        room = room_of(name)
        rooms = {room_of(other) for other in module.imports}
        if room != _INIT:
            graph.setdefault(room, set()).update(rooms - {room, _INIT})
    return graph


def circles(graph: Graph) -> List[List[str]]:
    """The sets of nodes that reach one another, each in the order of the alphabet."""
    reached = {node: _reachable(graph, node) for node in graph}
    found = {
        tuple(sorted(other for other in reached[node] if node in reached[other]))
        for node in graph
        if node in reached[node]
    }
    return [list(circle) for circle in sorted(found)]


def _reachable(graph: Graph, start: str) -> Set[str]:
    """All that one comes to from `start` along arrows; `start` itself in a circle alone."""
    reached: Set[str] = set()
    waiting = list(graph[start])
    while waiting:
        node = waiting.pop()
        if node not in reached:
            reached.add(node)
            waiting += graph[node]
    return reached


def storeys(graph: Graph) -> int:
    """Nodes on the longest chain of arrows; the nodes of a circle stand on one storey."""
    together = {node: tuple(circle) for circle in circles(graph) for node in circle}
    groups: Dict[Tuple[str, ...], Set[Tuple[str, ...]]] = {}
    for node, others in graph.items():
        group = together.get(node, (node,))
        below = {together.get(other, (other,)) for other in others}
        groups.setdefault(group, set()).update(below - {group})
    heights: Dict[Tuple[str, ...], int] = {}

    def height(group: Tuple[str, ...]) -> int:
        if group not in heights:
            heights[group] = 1 + max(map(height, groups[group]), default=0)
        return heights[group]

    return max(map(height, groups), default=0)


class Rule(NamedTuple):
    """What may import what; see `read_rule`.

    Attributes:
      levels: the number of each room of the first package, and of each other package.
      users: for some of them, the rooms that may import them; none for all with a higher number.
    """

    levels: Dict[str, int]
    users: Dict[str, Set[str]]


# | 4 | `checkpoints`, `data_tools` | `data_tools`: nobody |
_ROW = re.compile(r"\| *(\d+) *\|([^|]*)\|([^|]*)\|")
_NAME = re.compile(r"`(\w+)`")


def read_rule(document: pathlib.Path) -> Rule:
    """The rule of imports from the table of levels in a document.

    Each row has a number, the rooms of that level, and limits such as "`a`: `b`, `c`" where the
    room `a` is for `b` and `c` alone, or "`a`: none" where it is for no other room; several are
    divided by semicolons.

    Raises:
      ValueError: there is no such table, or a room stands in it twice.
    """
    levels: Dict[str, int] = {}
    users: Dict[str, Set[str]] = {}
    for number, rooms, limits in _ROW.findall(document.read_text(encoding="utf-8")):
        for room in _NAME.findall(rooms):
            if room in levels:
                raise ValueError("%s has the room %s twice" % (document, room))
            levels[room] = int(number)
        for limit in filter(str.strip, limits.split(";")):
            names = _NAME.findall(limit)
            users[names[0]] = set(names[1:])
    if not levels:
        raise ValueError("%s has no table of levels" % document)
    return Rule(levels, users)


def violations(modules: Dict[str, Module], rule: Rule) -> List[str]:
    """Every breach of the rule of imports, as a sentence."""
    found = []
    for module in modules.values():
        room = room_of(module.name)
        if room == _INIT:
            # What it imports is imported with any module of the package.
            found += [
                "%s imports %s at once; the top of a package imports nothing" % (module.name, other)
                for other in sorted(module.imports_at_once)
            ]
            continue
        if room not in rule.levels:
            found.append("%s is in no room of the table of levels" % module.name)
            continue
        for other in sorted(module.imports):
            used = room_of(other)
            if used in (room, _INIT) or used not in rule.levels:
                continue  # an unknown room is named once, above
            if room not in rule.users.get(used, {room}):
                allowed = " and ".join(sorted(rule.users[used])) or "none"
                found.append("%s imports %s, which is for %s alone" % (module.name, other, allowed))
            elif used not in rule.users and rule.levels[used] >= rule.levels[room]:
                found.append(
                    "%s (level %d) imports %s (level %d); a room uses rooms of smaller numbers"
                    % (module.name, rule.levels[room], other, rule.levels[used])
                )
    found += ["%s import one another" % ", ".join(c) for c in circles(file_graph(modules))]
    return found


def too_long(modules: Dict[str, Module], most: int) -> List[str]:
    """The modules of more than `most` lines, as sentences."""
    return [
        "%s has %d lines, more than %d" % (module.name, module.lines, most)
        for module in modules.values()
        if module.lines > most
    ]


def unmirrored(modules: Iterable[str], tests: Iterable[str], others: Iterable[str]) -> List[str]:
    """The files of tests of the first package that mirror none of its modules, as sentences.

    `tests.bsrn_estimator.export.test_graph` mirrors `bsrn_estimator.export.graph`, and `test_main`
    a `__main__` as well.

    Args:
      modules: names of the modules there are.
      tests: names of the modules of `tests`.
      others: those of `tests` that are meant to mirror none; one that is not there, or mirrors a
        module after all, is named too.
    """
    known, there, others = set(modules), set(tests), set(others)
    files = {name for name in there if re.match(r"tests\.%s\.(.+\.)?test_\w+$" % PACKAGES[0], name)}
    alone = set()
    for name in files:
        folder, _, file = name[len("tests.") :].rpartition(".")
        subject = file[len("test_") :]
        if not {"%s.%s" % (folder, subject), "%s.__%s__" % (folder, subject)} & known:
            alone.add(name)
    found = ["%s mirrors no module" % name for name in sorted(alone - others)]
    found += ["%s is not there" % name for name in sorted(others - there)]
    return found + ["%s mirrors a module" % name for name in sorted(others & files - alone)]


def listing(modules: Dict[str, Module]) -> List[str]:
    """The lines that the command prints."""
    lines = []
    for folder in sorted({module.folder for module in modules.values()}):
        own = [module for module in modules.values() if module.folder == folder]
        lines.append("%s/ (%d)" % (folder.replace(".", "/"), len(own)))
        lines += ["  %-24s%4d lines" % (module.path.name, module.lines) for module in own]
    files, rooms = file_graph(modules), room_graph(modules)
    arrows = sum(map(len, rooms.values()))
    lines += ["", "modules %d" % len(modules), "rooms   %d" % len(rooms)]
    lines += ["storeys %d" % storeys(rooms), "arrows  %d" % arrows]
    for name, graph in (("files", files), ("rooms", rooms)):
        found = circles(graph)
        lines.append("circles among %s %d" % (name, len(found)))
        lines += ["  " + ", ".join(circle) for circle in found]
    return lines


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.support.structure",
        description="Prints how the packages are built: modules, rooms, storeys, arrows, circles.",
    )
    parser.add_argument("folder", nargs="?", default=str(ROOT), help="the root of a checkout")
    folder = pathlib.Path(parser.parse_args(arguments).folder)
    if not (folder / PACKAGES[0]).is_dir():
        print("error: there is no %s" % os.path.join(str(folder), PACKAGES[0]), file=sys.stderr)
        return 2
    print("\n".join(listing(modules_of(folder))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
