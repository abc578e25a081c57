"""Processes of this host that train together: each with a log, all stopped when one dies."""

import argparse
import ctypes
import os
import signal
import subprocess
import sys
import time
from typing import Dict, List, Optional, Sequence, Tuple

from bsrn_estimator.errors import UserError

# To finish its step, save and evaluate what is due, after it was told to stop.
SECONDS_TO_SAVE = 600.0
# For processes that wait for one that is gone.
SECONDS_TO_END = 10.0
# For the others to end by themselves once the first has.
SECONDS_AFTER_FIRST = 60.0
_POLL_SECONDS = 0.2
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class Processes:
    """The processes of this host, by number, each with a log of its own.

    Args:
      command: what each runs.
      environments: {number: its environment}.
      log_dir: folder of the logs; appended to where they exist.
      kind: what messages and logs call one: "rank" for `rank_0.log`, and "rank 0".
    """

    def __init__(
        self,
        command: List[str],
        environments: Dict[int, Dict[str, str]],
        log_dir: str,
        kind: str,
    ) -> None:
        self.kind = kind
        self.logs = {n: os.path.join(log_dir, "%s_%d.log" % (kind, n)) for n in environments}
        self._shown = {number: _size(path) for number, path in self.logs.items()}
        self.processes: Dict[int, subprocess.Popen] = {}
        for number, environment in environments.items():
            with open(self.logs[number], "ab") as log:
                self.processes[number] = subprocess.Popen(
                    command,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C reaches this process alone, which lets the first save first.
                    start_new_session=True,
                    preexec_fn=_end_with_parent,
                )

    @property
    def first(self) -> int:
        """The lowest number of this host; that which saves where it runs here."""
        return min(self.processes)

    def running(self) -> List[int]:
        """The numbers of those that have not ended."""
        return [number for number, process in self.processes.items() if process.poll() is None]

    def failed(self) -> Optional[Tuple[int, int]]:
        """(number, exit status) of one that ended other than with 0, or None.

        One that was killed comes before those that end for its sake.
        """
        ended = [(number, process.poll()) for number, process in self.processes.items()]
        found = [(number, status) for number, status in ended if status]
        return min(found, key=lambda each: each[1] > 0) if found else None

    def wait(self, numbers: Sequence[int], seconds: float) -> None:
        """Until these have ended, or so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and set(numbers) & set(self.running()):
            self.show_new_lines()
            time.sleep(_POLL_SECONDS)

    def end_all(self) -> None:
        """Asks all that still run to end, then makes them."""
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            for number in self.running():
                _signal_group(self.processes[number], signal_number)
            self.wait(list(self.processes), SECONDS_TO_END)
        self.show_new_lines()

    def show_new_lines(self) -> None:
        """Prints what the first has written since."""
        number = self.first
        with open(self.logs[number], "rb") as log:
            log.seek(self._shown[number])
            text = log.read()
        self._shown[number] += len(text)
        sys.stdout.write(text.decode("utf-8", "replace"))
        sys.stdout.flush()

    def last_lines(self, number: int, count: int = 5) -> str:
        """The end of a log."""
        with open(self.logs[number], "rb") as log:
            lines = log.read().decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-count:])


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def _end_with_parent() -> None:
    """In the child: a killed launcher must not leave processes that hold devices."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)


def _signal_group(process: subprocess.Popen, number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


class Stop:
    """Remembers signals that ask to stop, instead of ending on them."""

    def __init__(self) -> None:
        self.signals: List[int] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda received, _frame: self.signals.append(received))


def follow(started: Processes, stop: Stop) -> int:
    """Waits for all to end; returns the exit status of the whole.

    One that fails ends all. Told to stop, it passes the word to the first alone, which can finish
    its step only while the others take part in it; once that has saved, all end.
    """
    asked = False
    while started.running():
        started.show_new_lines()
        failed = started.failed()
        # Who was told by the first one that all stop has not failed.
        stopped = failed and (failed[0] == started.first or failed[1] == 128 + signal.SIGTERM)
        if failed and not (asked and stopped):
            return _report(started, *failed)
        if started.first not in started.running():
            started.wait(list(started.processes), 0 if asked else SECONDS_AFTER_FIRST)
            break
        if stop.signals and not asked:
            asked = True
            name = "%s %d" % (started.kind, started.first)
            print("waiting for %s to save; Ctrl-C again ends at once" % name, flush=True)
            _signal_group(started.processes[started.first], signal.SIGTERM)
            deadline = time.monotonic() + SECONDS_TO_SAVE
        if asked and (len(stop.signals) > 1 or time.monotonic() > deadline):
            break
        time.sleep(_POLL_SECONDS)
    failed = started.failed()
    if failed and not asked:
        return _report(started, *failed)
    started.end_all()
    if asked:
        return 128 + stop.signals[0]
    return 0


def _report(started: Processes, number: int, status: int) -> int:
    started.end_all()
    how = "signal %d" % -status if status < 0 else "status %d" % status
    print(
        "error: %s %d ended with %s, and all others were stopped; the end of %s:\n%s"
        % (started.kind, number, how, started.logs[number], started.last_lines(number)),
        file=sys.stderr,
    )
    return 1 if status < 0 else status


def flags_after(rest: Sequence[str]) -> List[str]:
    """The flags of the training in what argparse left over, `--` before them or not."""
    return list(rest[1:] if rest[:1] == ["--"] else rest)


def add_arguments(parser: argparse.ArgumentParser, kind: str) -> None:
    """Adds what every launcher takes to its command line."""
    parser.add_argument(
        "--log_dir", default="logs", help="folder of the logs, one for each %s" % kind
    )
    parser.add_argument("flags", nargs=argparse.REMAINDER, help="-- and flags of the training")


def make_log_dir(path: str) -> None:
    """Makes the folder of the logs.

    Raises:
      UserError: it cannot be made.
    """
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise UserError("--log_dir=%s cannot be made: %s" % (path, error.strerror)) from None
