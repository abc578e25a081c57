"""Holds back what TensorFlow says of itself while it is loaded, and nothing else."""

import contextlib
import os
import re
import signal
import warnings
from typing import BinaryIO, Iterator

# Written by native code before TF_CPP_MIN_LOG_LEVEL is read: the notice that it is so, and lines
# that call themselves information.
_BANNER = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog\(\) is called are written to STDERR\s*$"
    rb"|I\d{4} \d[\d:.]* +\d+ [\w.]+:\d+\] "
)


def is_banner(line: bytes) -> bool:
    """Whether a line of stderr only says how TensorFlow was built or what it will use."""
    return bool(_BANNER.match(line))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Passes on what is written to file descriptor 2 meanwhile, line by line, without banners.

    A child process does it. So no line is lost where loading ends the process, as that of a
    TensorFlow for another processor does: with a message, and SIGABRT.
    """
    try:
        kept = os.dup(2)
    except OSError:
        # stderr is closed; nobody reads banners there.
        yield
        return
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # Python from 3.12 on warns of a fork beside threads, such as NumPy's. This child takes
        # no lock.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _serve(reading, writing, kept)
    os.close(reading)
    os.dup2(writing, 2)
    os.close(writing)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        with contextlib.suppress(ChildProcessError):  # SIGCHLD may be ignored
            os.waitpid(child, 0)


def _serve(reading: int, writing: int, stderr: int) -> None:
    """Is the child: passes on until the last writer is gone, and ends."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.close(writing)
        with os.fdopen(reading, "rb") as source, os.fdopen(stderr, "wb", 0) as target:
            _pass_on(source, target)
    finally:
        os._exit(0)


def _pass_on(source: BinaryIO, target: BinaryIO) -> None:
    for line in source:
        if not is_banner(line):
            target.write(line)
