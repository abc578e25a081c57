"""Runs pytest again and again in processes that need not import TensorFlow again.

The server has imported TensorFlow, made no session with it, and imported no room of the product,
so that each run, a fork of it, sees the sources as they are by then. It reads a line of JSON from
the standard input for each run, and writes lines: of the child "test NAME" and "failed NAME", then
its own "done STATUS CPU_SECONDS", those of the processes that the tests started included.
"""

import contextlib
import gc
import importlib
import json
import os
import sys
import traceback
from typing import Any, Dict, List

import pytest

from bsrn_estimator.compat import tf
from tests.support import touched

# What tests import beside TensorFlow, and what takes its time.
_COMMON = ("PIL.Image", "cv2", "hypothesis.strategies", "scipy.ndimage", "scipy.stats", "tqdm")
# What a mutant may stand in is not to be here.
_MAY_BE_THERE = ("compat", "errors", "estimator_adapter", "quiet_start")


class Chosen:
    """Of pytest: runs the tests that were asked for, in that order, and says how they end."""

    def __init__(self, names: List[str], answers: int) -> None:
        self._places = {name: place for place, name in enumerate(names)}
        self._answers = answers

    def pytest_collection_modifyitems(self, config, items) -> None:
        """Chooses and orders."""
        chosen = [item for item in items if item.nodeid in self._places]
        items[:] = sorted(chosen, key=lambda item: self._places[item.nodeid])

    def pytest_runtest_logstart(self, nodeid, location) -> None:
        """Says which one begins."""
        self._say("test", nodeid)

    def pytest_runtest_logreport(self, report) -> None:
        """Says which one has failed."""
        if report.failed:
            self._say("failed", report.nodeid)

    def _say(self, word: str, name: str) -> None:
        os.write(self._answers, ("%s %s\n" % (word, json.dumps(name))).encode())


def child(answers: int, files: List[str], log: str, names=None, record=None) -> int:
    """Runs the tests of some files; returns the status of pytest.

    Args:
      answers: where the lines go.
      files: relative to the root.
      log: takes the output of the tests.
      names: those to be run, in this order, up to the first that fails; all where it is None.
      record: path of the lines that are touched, and with .json of what `touched.Plugin` has.
    """
    os.setsid()
    for stream, path, flags in ((0, os.devnull, os.O_RDONLY), (1, log, os.O_WRONLY | os.O_CREAT)):
        os.dup2(os.open(path, flags | (os.O_TRUNC if stream else 0), 0o644), stream)
    os.dup2(1, 2)
    without = ["cacheprovider", "xdist", "unraisableexception"]
    arguments = ["-q", "--basetemp", log + ".d", *["-pno:" + name for name in without], *files]
    if record:
        plugin = touched.Plugin(record, os.path.realpath("."))
        status = pytest.main(arguments, plugins=[plugin])
        with open(record + ".json", "w", encoding="utf-8") as file:
            json.dump([plugin.tests, plugin.fixtures], file)
        return int(status)
    return int(pytest.main(["-x", *arguments], plugins=[Chosen(names, answers)]))


def serve() -> None:
    """Answers until the standard input ends."""
    answers = os.dup(1)
    os.dup2(2, 1)
    there = {name.split(".")[1] for name in sys.modules if name.startswith("bsrn_estimator.")}
    assert there <= set(_MAY_BE_THERE), there
    assert tf.__version__
    for name in _COMMON:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    for line in iter(sys.stdin.readline, ""):
        order: Dict[str, Any] = json.loads(line)
        process = os.fork()
        if process == 0:
            status = 1
            try:
                status = child(answers, **order)
            except BaseException:
                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(status)
        os.write(answers, b"pid %d\n" % process)
        _, status, usage = os.wait4(process, 0)
        os.write(answers, b"done %d %.2f\n" % (status, usage.ru_utime + usage.ru_stime))


if __name__ == "__main__":
    serve()
