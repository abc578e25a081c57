"""The bar on a terminal, the lines elsewhere, the final count on every way out."""

import fcntl
import gc
import io
import os
import pty
import struct
import termios

import pytest

from bsrn_estimator import failures
from bsrn_estimator import progress as module
from bsrn_estimator.errors import UserError
from bsrn_estimator.progress import duration, progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_lines_are_rare_and_the_last_one_is_never_lost(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(module.tqdm.std, "time", lambda: now[0])
    file = io.StringIO()
    with progress(None, 50, "Converting", "pictures", file=file) as bar:
        for _ in range(45):
            now[0] += 1
            bar.update(note="bird")
    assert file.getvalue().splitlines() == [
        "Converting: 30 of 50 pictures in 30.0 s (20.0 s left) bird",
        "Converting: 45 of 50 pictures in 45.0 s (5.0 s left) bird",
    ]


@pytest.mark.parametrize("rows", [24, 0])
def test_the_total_shows_on_a_terminal_of_any_size(rows):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, 4 * rows, 0, 0))
    with os.fdopen(theirs, "w") as terminal:
        with progress(None, 14, "Evaluating", "pictures", file=terminal) as bar:
            bar.update(14)
        shown = ""
        while not shown.endswith("\n"):  # A terminal hands on what it gets piece by piece.
            shown += os.read(ours, 9999).decode()
    os.close(ours)
    assert ("| 14/14 [" if rows else "Evaluating: 14 of 14 pictures in ") in shown


def test_iteration_closes_on_an_exception():
    file = io.StringIO()
    with pytest.raises(RuntimeError):
        for item in progress(range(9), description="Reading", unit="files", file=file):
            if item == 4:
                raise RuntimeError
    assert file.getvalue().startswith("Reading: 4 of 9 files in ")
    assert list(progress(iter("ab"), file=io.StringIO())) == ["a", "b"]


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_work_that_failed_shows_nothing_behind_what_went_wrong(kind):
    file = kind()
    with pytest.raises(UserError), failures.readable("run"):
        bar = progress(None, 3, "Evaluating", "pictures", file=file)
        bar.update()
        raise UserError("the disk is full")
    file.write("error: the disk is full")
    del bar
    gc.collect()
    assert file.getvalue().splitlines()[-1] == "error: the disk is full"
    assert file.getvalue().count("1/3" if kind is Terminal else "Evaluating") <= 2


def test_unknown_total_and_work_done_before():
    file = io.StringIO()
    bar = progress(unit="steps", initial=7, file=file)
    bar.write("a line")
    bar.update(2)
    bar.close()
    bar.close()
    assert file.getvalue().startswith("a line\n9 steps in ") and file.getvalue().count("\n") == 2
    bar.update(3)
    assert file.getvalue().count("\n") == 2  # nothing counts after the end
    nothing = io.StringIO()
    progress(total=3, file=nothing).close()
    assert nothing.getvalue() == ""


def test_bar_on_a_terminal():
    file = Terminal()
    with progress(None, 4, "Converting", "pictures", file=file) as bar:
        bar.write("between")
        bar.update(4, note="bird")
    assert "Converting: 100%" in file.getvalue() and "4/4" in file.getvalue()
    assert "between\n" in file.getvalue()


def test_duration():
    assert [duration(s) for s in (4.21, 200, 7512)] == ["4.2 s", "3 min 20 s", "2 h 05 min"]
