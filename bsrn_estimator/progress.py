"""How far long work has come: one bar on a terminal, a line now and then elsewhere."""

import sys
import time
from typing import Any, Iterable, Iterator, Optional, Sized, TextIO

import tqdm

SECONDS_BETWEEN_LINES = 30.0

# A bar that is updated from one place needs no thread to watch over it.
tqdm.tqdm.monitor_interval = 0


class Progress:
    """Counts units of work. Iterate over it, or call `update`; `close` shows the final count.

    On a terminal it is a tqdm bar with an estimate; elsewhere one line at most every 30 seconds,
    so that a log file stays readable, and one at the end.
    """

    def __init__(
        self,
        iterable: Optional[Iterable[Any]] = None,
        total: Optional[int] = None,
        description: str = "",
        unit: str = "it",
        initial: int = 0,
        file: Optional[TextIO] = None,
    ) -> None:
        self._iterable: Iterable[Any] = () if iterable is None else iterable
        if total is None and isinstance(iterable, Sized):
            total = len(iterable)
        self.total = total
        self.count = initial
        self._initial = initial
        self._description = description
        self._unit = unit
        self._file = file or sys.stderr
        self._note = ""
        self._begin = self._last_line = time.monotonic()
        self._closed = False
        self._bar = None
        if self._file.isatty():
            self._bar = tqdm.tqdm(
                total=total,
                desc=description or None,
                unit=" " + unit,
                initial=initial,
                file=self._file,
                dynamic_ncols=True,
            )

    def update(self, count: int = 1, note: str = "") -> None:
        """Adds `count` finished units; `note` is shown behind the numbers until the next one."""
        self.count += count
        self._note = note or self._note
        if self._bar is not None:
            if note:
                self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(count)
        elif time.monotonic() - self._last_line >= SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self._print_line()

    def write(self, line: str) -> None:
        """Prints a line without tearing the bar."""
        if self._bar is not None:
            self._bar.write(line, file=self._file)
        else:
            print(line, file=self._file, flush=True)

    def close(self) -> None:
        """Shows the final count, once."""
        if self._closed:
            return
        self._closed = True
        if self._bar is not None:
            self._bar.close()
        elif self.count > self._initial:
            self._print_line()

    def __iter__(self) -> Iterator[Any]:
        try:
            for item in self._iterable:
                yield item
                self.update()
        finally:
            self.close()

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *unused) -> None:
        self.close()

    def _print_line(self) -> None:
        seconds = time.monotonic() - self._begin
        rate = (self.count - self._initial) / seconds if seconds > 0 else 0.0
        parts = [self._description + ":" if self._description else ""]
        if self.total is None:
            parts.append("%d %s" % (self.count, self._unit))
        else:
            parts.append("%d of %d %s" % (self.count, self.total, self._unit))
        parts.append("in %s" % duration(seconds))
        if self.total is not None and rate > 0 and self.count < self.total:
            parts.append("(%s left)" % duration((self.total - self.count) / rate))
        if self._note:
            parts.append(self._note)
        print(" ".join(part for part in parts if part), file=self._file, flush=True)


def progress(
    iterable: Optional[Iterable[Any]] = None,
    total: Optional[int] = None,
    description: str = "",
    unit: str = "it",
    initial: int = 0,
    file: Optional[TextIO] = None,
) -> Progress:
    """Shows how far a loop, or work counted by `update`, has come.

    Args:
      iterable: what to iterate over, or None to count with `update`.
      total: units of work in all; by default the length of `iterable` where it has one.
      description: what is being done, e.g. "Converting".
      unit: what is counted, in the plural, e.g. "pictures".
      initial: units that an earlier run has done; they do not count for the estimate.
      file: where to show it; standard error by default.

    Returns:
      A `Progress`: iterable, and a context manager.
    """
    return Progress(iterable, total, description, unit, initial, file)


def duration(seconds: float) -> str:
    """`seconds` as people say it: 4.2 s, 3 min 20 s, 2 h 05 min, 3 d 07 h."""
    if seconds < 60:
        return "%.1f s" % seconds
    minutes, rest = divmod(int(round(seconds)), 60)
    if minutes < 60:
        return "%d min %02d s" % (minutes, rest)
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return "%d h %02d min" % (hours, minutes)
    return "%d d %02d h" % divmod(hours, 24)
