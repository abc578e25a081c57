"""Signals that ask a conversion to stop."""

import contextlib
import signal
from typing import Iterator, List


class Stopped(Exception):
    """The conversion was told to stop by signal `number`; finished shards are kept."""

    def __init__(self, number: int, done: int, total: int) -> None:
        self.number = number
        super().__init__(
            "stopped: %d of %d pictures are converted; the same command again continues"
            % (done, total)
        )


@contextlib.contextmanager
def stop_requests() -> Iterator[List[int]]:
    """A list that gets the number of the first SIGINT or SIGTERM; a second one ends at once."""
    received: List[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)

    def handle(number, frame):
        received.append(number)
        for each in numbers:
            signal.signal(each, signal.SIG_DFL)

    try:
        before = [signal.signal(number, handle) for number in numbers]
    except ValueError:  # not in the main thread, where signals do not arrive
        yield received
        return
    try:
        yield received
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)
