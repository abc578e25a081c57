"""Which lines of the product a test executes, in its own process and in those that it starts.

Each line is written down when it is executed for the first time in a context, at once, so that a
process that is killed has written all the same. A context is a test, or a fixture that several
tests share. Processes that a test starts find the file by `VARIABLE`, and the context in a file
beside it; they call `start_from_environment` by way of a sitecustomize.py on their path.

Needs Python 3.12 or newer, for `sys.monitoring`.
"""

import collections
import contextlib
import glob
import inspect
import os
import sys
import time
from typing import Any, Dict, List

import pytest

VARIABLE = "MUTANTS_TOUCHED"
SITECUSTOMIZE = "from tests.support import touched\n\ntouched.start_from_environment()\n"
_NOW = ".now"
_TOOL = 4


class Touched:
    """Writes the lines that this process executes into a file.

    Args:
      path: of the file; what is there already stays.
      folder: of the sources that count, absolute.
    """

    def __init__(self, path: str, folder: str) -> None:
        self._path, self._folder = path, os.path.join(folder, "")
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        self._context = ""
        monitoring: Any = sys.monitoring  # type: ignore[attr-defined]
        self._again, self._enough = monitoring.restart_events, monitoring.DISABLE
        monitoring.use_tool_id(_TOOL, "mutants")
        monitoring.register_callback(_TOOL, monitoring.events.LINE, self._line)
        monitoring.set_events(_TOOL, monitoring.events.LINE)
        os.register_at_fork(after_in_child=self.take_context)

    def _line(self, code, line: int):
        # What a module or a class executes when it is imported belongs to no test.
        is_function, path = code.co_flags & inspect.CO_OPTIMIZED, code.co_filename
        if is_function and path.startswith(self._folder) and path != __file__ and self._context:
            name = path[len(self._folder) :]
            try:
                os.write(self._file, ("%s\t%s\t%d\n" % (self._context, name, line)).encode())
            except OSError:
                # The test allows no file of this size: written when the line is executed again.
                return None
        return self._enough

    def enter(self, context: str) -> str:
        """Begins a context, for the processes started from now on too; returns the one before."""
        before = self._context
        with open(self._path + _NOW + ".new", "w", encoding="utf-8") as file:
            file.write(context)
        os.replace(self._path + _NOW + ".new", self._path + _NOW)
        self._context = context
        self._again()
        return before

    def take_context(self) -> None:
        """Goes on in the context that the tests are in."""
        try:
            with open(self._path + _NOW, encoding="utf-8") as file:
                self._context = file.read()
        except FileNotFoundError:
            self._context = ""
        self._again()


def start_from_environment() -> None:
    """For a process that a test has started."""
    if os.environ.get(VARIABLE):
        Touched(os.environ[VARIABLE], os.environ[VARIABLE + "_FOLDER"]).take_context()


def read(path: str) -> Dict[str, Dict[str, List[int]]]:
    """{context: {file: its lines}} of a file that `Touched` has written."""
    found: Dict[str, Dict[str, set]] = collections.defaultdict(lambda: collections.defaultdict(set))
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for text in file:
                context, name, line = text.rstrip("\n").split("\t")
                found[context][name].add(int(line))
    return {c: {f: sorted(n) for f, n in files.items()} for c, files in found.items()}


class Plugin:
    """Of pytest: has the lines of each test and of each wide fixture written down.

    Args:
      path: of the file that `read` takes.
      folder: see `Touched`.

    Attributes:
      tests: [name, whether it passed, CPU seconds, the wide fixtures that it uses, seconds].
      fixtures: CPU seconds of each wide fixture.
    """

    def __init__(self, path: str, folder: str) -> None:
        os.environ[VARIABLE], os.environ[VARIABLE + "_FOLDER"] = path, folder
        self._touched = Touched(path, folder)
        self.tests: List[List[Any]] = []
        self.fixtures: Dict[str, float] = {}
        self._failed, self._skipped, self._in_fixtures = False, False, 0.0

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_protocol(self, item, nextitem):
        """Gives the test a context of its own."""
        self._failed, self._skipped, self._in_fixtures = False, False, 0.0
        before = self._touched.enter(item.nodeid)
        started, begun = _cpu_seconds(), time.monotonic()
        yield
        seconds = max(_cpu_seconds() - started - self._in_fixtures, 0.0)
        self._touched.enter(before)
        lasted = round(time.monotonic() - begun, 3)
        wide = [
            _context_of(definition)
            for definitions in item._fixtureinfo.name2fixturedefs.values()
            for definition in definitions
            if definition.scope != "function"
        ]
        if not self._skipped:
            self.tests.append([item.nodeid, not self._failed, round(seconds, 3), wide, lasted])

    @pytest.hookimpl(hookwrapper=True)
    def pytest_fixture_setup(self, fixturedef, request):
        """Gives a fixture of several tests a context of its own."""
        if fixturedef.scope == "function":
            yield
            return
        name = _context_of(fixturedef)
        before, inner = self._touched.enter(name), self._in_fixtures
        started = _cpu_seconds()
        yield
        seconds = max(_cpu_seconds() - started, 0.0)
        # Those that it asked for are counted for themselves.
        own = seconds - (self._in_fixtures - inner)
        self._in_fixtures = inner + seconds
        self.fixtures[name] = max(own, self.fixtures.get(name, 0.0))
        self._touched.enter(before)

    def pytest_runtest_logreport(self, report) -> None:
        """Sees whether it passed."""
        self._failed |= report.failed
        self._skipped |= report.skipped


def _context_of(fixture) -> str:
    return "fixture %s of %s" % (fixture.argname, fixture.baseid)


def _cpu_seconds() -> float:
    """Of this process and all that it has started, those that are still at work included."""
    children: Dict[int, List[int]] = collections.defaultdict(list)
    seconds: Dict[int, float] = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError), open(path) as file:
            fields = file.read().rpartition(")")[2].split()
            process = int(path.split("/")[2])
            children[int(fields[1])].append(process)
            # Its own, and of those that it has waited for.
            seconds[process] = sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    found, left = 0.0, [os.getpid()]
    while left:
        process = left.pop()
        found += seconds.get(process, 0.0)
        left += children[process]
    return found
