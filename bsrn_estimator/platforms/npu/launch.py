"""Starts one training process for each NPU of this host, and stops them all when one dies.

    python3 -m bsrn_estimator.platforms.npu.launch --rank_table=FILE [flags of its own] -- FLAGS

FLAGS go to `python -m bsrn_estimator.main --use_npu`. scripts/run_npu_8p.sh is the short form.
"""

import argparse
import ctypes
import os
import signal
import subprocess
import sys
import time
from typing import Dict, List, Optional, Sequence, Tuple

from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.npu import rank_table
from bsrn_estimator.platforms.npu.environment import DEFAULT_JOB_ID

# To finish its step, save and evaluate what is due, after it was told to stop.
SECONDS_TO_SAVE = 600.0
# For ranks that wait for one that is gone.
SECONDS_TO_END = 10.0
# For the other ranks to end by themselves once rank 0 has.
SECONDS_AFTER_RANK_0 = 60.0
_POLL_SECONDS = 0.2
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class Ranks:
    """The processes of this host, by rank, each with a log of its own.

    Args:
      devices: the NPUs of this host.
      rank_size: how many ranks there are on all hosts.
      table: path of the rank table.
      command: what each rank runs.
      log_dir: folder of the logs, `rank_0.log` and so on; appended to where they exist.
    """

    def __init__(
        self,
        devices: Sequence[rank_table.Device],
        rank_size: int,
        table: str,
        command: List[str],
        log_dir: str,
    ) -> None:
        self.logs = {d.rank_id: os.path.join(log_dir, "rank_%d.log" % d.rank_id) for d in devices}
        self._shown = {rank: _size(path) for rank, path in self.logs.items()}
        self.processes: Dict[int, subprocess.Popen] = {}
        for device in devices:
            with open(self.logs[device.rank_id], "ab") as log:
                self.processes[device.rank_id] = subprocess.Popen(
                    command,
                    env=_environment(device, rank_size, table),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    # Ctrl-C reaches this process alone, which lets rank 0 save first.
                    start_new_session=True,
                    preexec_fn=_end_with_parent,
                )

    @property
    def first(self) -> int:
        """The lowest rank of this host; rank 0 where it runs here."""
        return min(self.processes)

    def running(self) -> List[int]:
        """The ranks whose process has not ended."""
        return [rank for rank, process in self.processes.items() if process.poll() is None]

    def failed(self) -> Optional[Tuple[int, int]]:
        """(rank, exit status) of a rank that ended other than with 0, or None."""
        for rank, process in self.processes.items():
            if process.poll():
                return rank, process.returncode
        return None

    def wait(self, ranks: Sequence[int], seconds: float) -> None:
        """Until these ranks have ended, or so long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and set(ranks) & set(self.running()):
            self.show_new_lines()
            time.sleep(_POLL_SECONDS)

    def end_all(self) -> None:
        """Asks all that still run to end, then makes them."""
        for signal_number in (signal.SIGTERM, signal.SIGKILL):
            for rank in self.running():
                _signal_group(self.processes[rank], signal_number)
            self.wait(list(self.processes), SECONDS_TO_END)
        self.show_new_lines()

    def show_new_lines(self) -> None:
        """Prints what the first rank has written since."""
        rank = self.first
        with open(self.logs[rank], "rb") as log:
            log.seek(self._shown[rank])
            text = log.read()
        self._shown[rank] += len(text)
        sys.stdout.write(text.decode("utf-8", "replace"))
        sys.stdout.flush()

    def last_lines(self, rank: int, count: int = 5) -> str:
        """The end of a rank's log."""
        with open(self.logs[rank], "rb") as log:
            lines = log.read().decode("utf-8", "replace").splitlines()
        return "\n".join(lines[-count:])


def _size(path: str) -> int:
    return os.path.getsize(path) if os.path.exists(path) else 0


def _environment(device: rank_table.Device, rank_size: int, table: str) -> Dict[str, str]:
    environ = dict(os.environ)
    # It would take the place of RANK_ID.
    environ.pop("POD_NAME", None)
    environ.setdefault("JOB_ID", DEFAULT_JOB_ID)
    environ.update(
        RANK_SIZE=str(rank_size),
        RANK_ID=str(device.rank_id),
        RANK_TABLE_FILE=os.path.abspath(table),
        DEVICE_ID=str(device.device_id),
        ASCEND_DEVICE_ID=str(device.device_id),
        DEVICE_INDEX=str(device.rank_id),
        PYTHONUNBUFFERED="1",
    )
    return environ


def _end_with_parent() -> None:
    """In the child: a killed launcher must not leave processes that hold the NPUs."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)


def _signal_group(process: subprocess.Popen, number: int) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


class _Stop:
    """Remembers signals that ask to stop, instead of ending on them."""

    def __init__(self) -> None:
        self.signals: List[int] = []
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda received, _frame: self.signals.append(received))


def follow(ranks: Ranks, stop: _Stop) -> int:
    """Waits for the ranks to end; returns the exit status of the whole.

    One that fails ends all. Told to stop, it passes the word to the first rank alone, which can
    finish its step only while the others take part in it; once that has saved, all end.
    """
    asked = False
    while ranks.running():
        ranks.show_new_lines()
        failed = ranks.failed()
        if failed and not (asked and failed[0] == ranks.first):
            return _report(ranks, *failed)
        if ranks.first not in ranks.running():
            ranks.wait(list(ranks.processes), 0 if asked else SECONDS_AFTER_RANK_0)
            break
        if stop.signals and not asked:
            asked = True
            print("waiting for rank %d to save; Ctrl-C again ends at once" % ranks.first)
            _signal_group(ranks.processes[ranks.first], signal.SIGTERM)
            deadline = time.monotonic() + SECONDS_TO_SAVE
        if asked and (len(stop.signals) > 1 or time.monotonic() > deadline):
            break
        time.sleep(_POLL_SECONDS)
    failed = ranks.failed()
    if failed and not asked:
        return _report(ranks, *failed)
    ranks.end_all()
    if asked:
        return 128 + stop.signals[0]
    return 0


def _report(ranks: Ranks, rank: int, status: int) -> int:
    ranks.end_all()
    how = "signal %d" % -status if status < 0 else "status %d" % status
    print(
        "error: rank %d ended with %s, and all others were stopped; the end of %s:\n%s"
        % (rank, how, ranks.logs[rank], ranks.last_lines(rank)),
        file=sys.stderr,
    )
    return 1 if status < 0 else status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Trains on the NPUs of this host, one process each.",
        epilog="What follows -- goes to python -m bsrn_estimator.main --use_npu.",
    )
    parser.add_argument(
        "--rank_table",
        default=rank_table.path_in(os.environ),
        help="rank table (JSON); by default RANK_TABLE_FILE of the environment, or "
        "RANK_TABLE_FILE_V_1_0",
    )
    parser.add_argument("--ranks", type=int, help="how many ranks the table must have")
    parser.add_argument("--server_id", help="which server this is, where the table lists several")
    parser.add_argument("--log_dir", default="logs", help="folder of the logs, one for each rank")
    parser.add_argument("flags", nargs=argparse.REMAINDER, help="-- and flags of the training")
    return parser


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command; returns the exit status."""
    given = _parser().parse_args(arguments)
    flags = given.flags[1:] if given.flags[:1] == ["--"] else given.flags
    try:
        if not given.rank_table:
            raise UserError("no rank table: give --rank_table=FILE or set RANK_TABLE_FILE")
        devices = rank_table.of_this_host(given.rank_table, given.ranks, given.server_id)
        try:
            os.makedirs(given.log_dir, exist_ok=True)
        except OSError as error:
            raise UserError(
                "--log_dir=%s cannot be made: %s" % (given.log_dir, error.strerror)
            ) from None
    except UserError as error:
        print("error: %s" % error, file=sys.stderr)
        return 2
    stop = _Stop()
    ranks = Ranks(
        devices,
        len(rank_table.load(given.rank_table)),
        given.rank_table,
        [sys.executable, "-m", "bsrn_estimator.main", "--use_npu"] + flags,
        given.log_dir,
    )
    print("%d ranks started; their output is in %s" % (len(devices), given.log_dir), flush=True)
    try:
        return follow(ranks, stop)
    finally:
        ranks.end_all()


if __name__ == "__main__":
    sys.exit(main())
