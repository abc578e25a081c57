"""Runs commands of this project as processes that need not import TensorFlow again.

A test that kills a command fifty times would else spend its time on imports. The server imports
what the commands import and makes no session; each command is a fork of it, with a session (in the
sense of the operating system), a standard output and a standard error of its own, and goes through
the same entry point as on the command line.

It reads a line of JSON from the standard input for each command, {"program", "arguments", "log",
"environment"}, answers with the process id, and when the process has ended with its status, as
os.waitpid has it.
"""

import ctypes
import json
import os
import signal
import sys

from bsrn_estimator import main
from data_tools import to_tfrecord

# PR_SET_PDEATHSIG of Linux.
_ON_DEATH_OF_PARENT = 1

PROGRAMS = {"main": main.run, "to_tfrecord": to_tfrecord.run}


def end_with(parent: int) -> None:
    """Has this process killed when its parent ends, however that ends."""
    ctypes.CDLL(None).prctl(_ON_DEATH_OF_PARENT, signal.SIGKILL)
    if os.getppid() != parent:
        # It ended before.
        os._exit(1)


def child(program: str, arguments, log: str, environment, parent: int) -> None:
    """Becomes the command; does not return."""
    end_with(parent)
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler if number == 2 else signal.SIG_DFL)
    for stream, ending in ((1, ".out"), (2, ".err")):
        file = os.open(log + ending, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(file, stream)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    sys.stdout, sys.stderr = os.fdopen(1, "w"), os.fdopen(2, "w", 1)
    sys.argv = [program + ".py"] + arguments
    os.environ.update(environment)
    status = 1
    try:
        status = PROGRAMS[program]()
    except SystemExit as stop:
        status = stop.code
    except BaseException:
        import traceback

        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status or 0)


def serve(parent: int) -> None:
    """Answers until the standard input ends, or the tests are killed while a command runs."""
    end_with(parent)
    server = os.getpid()
    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        process = os.fork()
        if process == 0:
            child(parent=server, **order)
        print(process, flush=True)
        print(os.waitpid(process, 0)[1], flush=True)


if __name__ == "__main__":
    serve(int(sys.argv[1]))
