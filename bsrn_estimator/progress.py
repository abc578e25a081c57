"""How far long work has come: one bar on a terminal, a line now and then elsewhere."""

import os
import sys
from typing import Any, Iterable, Optional, TextIO

import tqdm

SECONDS_BETWEEN_LINES = 30.0


class Progress(tqdm.tqdm):
    """Counts units of work. Iterate over it, or call `update`; `close` shows the final count.

    On a terminal it is tqdm's bar with an estimate; elsewhere, and on a terminal of no size, one
    line at most every 30 seconds, so that a log file stays readable, and one at the end.
    """

    # A bar that is updated from one place needs no thread to watch over it.
    monitor_interval = 0

    def __init__(self, iterable: Optional[Iterable[Any]], file: TextIO, **settings: Any) -> None:
        """Takes what tqdm takes."""
        self._in_lines = not file.isatty() or _has_no_size(file)
        if self._in_lines:
            settings.update(mininterval=SECONDS_BETWEEN_LINES, miniters=1, leave=False)
        super().__init__(iterable, file=file, dynamic_ncols=True, **settings)

    @property
    def count(self) -> int:
        """Finished units, those of an earlier run included."""
        return self.n

    def update(self, n: int = 1, note: str = "") -> None:
        """Adds `n` finished units; `note` is shown behind the numbers until the next one."""
        if note:
            self.set_postfix_str(note, refresh=False)
        super().update(n)

    def write(self, line: str) -> None:
        """Prints a line without tearing the bar."""
        if self._in_lines:
            print(line, file=self.fp, flush=True)
        else:
            super().write(line, file=self.fp)

    def close(self) -> None:
        """Shows the final count, once."""
        if self._in_lines and not self.disable:
            self.display()
        super().close()

    def abandon(self) -> None:
        """Ends the bar of work that failed; as a line it would come behind what went wrong."""
        if self._in_lines:
            super().close()
        else:
            self.close()

    def __del__(self) -> None:
        self.abandon()

    def display(self, msg: Optional[str] = None, pos: Optional[int] = None) -> bool:
        """Shows the bar, or prints the line; not before anything is done, nor to wipe it."""
        if not self._in_lines:
            return super().display(msg, pos)
        if msg is None and self.n > self.initial:
            print(self._line(), file=self.fp, flush=True)
        return False

    def _line(self) -> str:
        now = self.format_dict
        rate = (self.n - self.initial) / now["elapsed"] if now["elapsed"] > 0 else 0.0
        parts = [self.desc and self.desc + ":", str(self.n)]
        if self.total is not None:
            parts.append("of %d" % self.total)
        parts += [self.unit.strip(), "in %s" % duration(now["elapsed"])]
        if self.total is not None and rate > 0 and self.n < self.total:
            parts.append("(%s left)" % duration((self.total - self.n) / rate))
        parts.append(self.postfix)
        return " ".join(part.strip() for part in parts if part)


def _has_no_size(terminal: TextIO) -> bool:
    """Whether a terminal is 0 rows high, as some that no one sees are; tqdm shows nothing there."""
    try:
        return os.get_terminal_size(terminal.fileno()).lines == 0
    except (OSError, ValueError):
        return False


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
    return Progress(
        iterable,
        file or sys.stderr,
        total=total,
        desc=description or None,
        unit=" " + unit,
        initial=initial,
    )


def abandon_all() -> None:
    """Ends the bars of all work in hand, so that what went wrong can be said below them."""
    for bar in list(getattr(Progress, "_instances", ())):
        bar.abandon()


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
