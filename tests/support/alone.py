"""Tests of signals: one is for a whole process, so they run in one that is not of the other tests.

With all that other tests have left in it, a process of pytest-xdist was seen to die of a signal
which Python handles.
"""

import os
import subprocess
import sys

import pytest

_ALONE = "BSRN_TESTS_ALONE"

test = pytest.mark.skipif(_ALONE not in os.environ, reason="run in a process of its own")


def run(file: str, keyword: str, count: int) -> None:
    """Runs tests of a file that are marked `test`, and asserts that they pass.

    Args:
      file: the file of the tests.
      keyword: what their names contain, and no others'.
      count: how many they are.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", file, "-k", keyword]
    environment = dict(os.environ, **{_ALONE: "1"})
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300
    )
    output = done.stdout.decode()
    assert done.returncode == 0 and "%d passed" % count in output, output
