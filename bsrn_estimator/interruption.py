"""Being told to stop: the first signal ends the run in order, the second Ctrl-C at once."""

import os
import shlex
import signal
import sys
import threading
from typing import Optional


class Interrupted(Exception):
    """Work that can be begun again was broken off on a signal."""


class Interruption:
    """Catches SIGINT and SIGTERM while it is entered; in another thread than the main one, none.

    Args:
      doing: what follows a signal, in words.

    Attributes:
      received: the signal that asked to stop, or None.

    Example:
      with Interruption() as interruption:
          while not interruption.received: step()
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self, doing: str = "saving a checkpoint") -> None:
        self._doing = doing
        self.received: Optional[int] = None
        self._previous = {}

    def __enter__(self) -> "Interruption":
        if threading.current_thread() is not threading.main_thread():
            return self  # signals do not arrive here
        for number in self._SIGNALS:
            self._previous[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _handle(self, number, _frame) -> None:
        if self.received is not None and number == signal.SIGINT:
            os._exit(128 + number)
        if self.received is None:
            name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
            # Not sys.stderr, which the signal may have found in the middle of a line.
            os.write(2, ("\n%s: %s; Ctrl-C ends at once\n" % (name, self._doing)).encode())
            self.received = number

    def receive(self, number: int) -> None:
        """Notes a signal that another process of the same run got, unless one came before."""
        if self.received is None:
            self.received = number

    def exit_status(self, preemption_exit_zero: bool = False) -> int:
        """What the shell expects of a process that ended on this signal.

        Args:
          preemption_exit_zero: 0 on SIGTERM, for a cluster that starts a preempted job again only
            if it did not fail.
        """
        if self.received is None or (preemption_exit_zero and self.received == signal.SIGTERM):
            return 0
        return 128 + self.received


def this_command() -> str:
    """The command line of this process, to be pasted into a shell."""
    program = [sys.argv[0]]
    if os.path.basename(sys.argv[0]) in ("main.py", "-m", "-c"):
        program = ["python", "-m", "bsrn_estimator.main"]
    return " ".join(shlex.quote(word) for word in program + sys.argv[1:])
