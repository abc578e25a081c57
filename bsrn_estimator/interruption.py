"""Being told to stop: the first signal ends the run in order, the second Ctrl-C at once."""

import os
import signal
import sys
from typing import Optional


class Interruption:
    """Catches SIGINT and SIGTERM while it is entered, in the main thread.

    Attributes:
      received: the signal that asked to stop, or None.

    Example:
      with Interruption() as interruption:
          while not interruption.received: step()
    """

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.received: Optional[int] = None
        self._previous = {}

    def __enter__(self) -> "Interruption":
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
            sys.stderr.write("\n%s: saving a checkpoint; Ctrl-C ends at once\n" % name)
            self.received = number

    @property
    def exit_status(self) -> int:
        """What the shell expects of a process that ended on this signal."""
        return 128 + self.received if self.received else 0
