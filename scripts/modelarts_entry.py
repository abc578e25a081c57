#!/usr/bin/env python3
"""Trains on ModelArts: brings the data in, trains on the NPUs of the node, brings the results back.

    scripts/modelarts_entry.py --data_url=URL --train_url=URL [any flag of bsrn_estimator.main]

URLs are OBS paths (obs:// or s3://, copied with moxing, which ModelArts has) or local folders,
which are used as they are. --data_url holds the records as data_tools/to_tfrecord.py wrote them,
training and evaluation records each in a folder of their own, at any depth. What --train_url
already holds is brought in first, so that a job that was stopped goes on. Results go to --train_url
while training runs, every --sync_minutes, and once more at its end, however it ends.

Several cards: where the platform starts this script once for each card (RANK_ID is set), each
trains one rank; where it starts it once for each node (RANK_TABLE_FILE without RANK_ID), the script
starts the ranks.
At the end it prints the lines of scripts/final_lines.py.
"""

import argparse
import fcntl
import glob
import os
import shutil
import signal
import subprocess
import sys
import time
from typing import Dict, List, Optional, Sequence, Tuple

ROOT = os.path.abspath(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
sys.path.insert(0, ROOT)

from bsrn_estimator.errors import UserError  # noqa: E402
from bsrn_estimator.files import read_json  # noqa: E402
from bsrn_estimator.platforms.npu import rank_table  # noqa: E402

_REMOTE = ("obs://", "s3://")
_WAIT_SECONDS = 0.5
# The large disk of a ModelArts node.
_CACHE = "/cache"


def is_remote(url: str) -> bool:
    """Whether a URL is in object storage."""
    return url.startswith(_REMOTE)


def copy(source: str, target: str) -> None:
    """Copies a folder, to or from object storage or between local folders; files there stay.

    Raises:
      UserError: object storage is named, and moxing is not installed.
    """
    if is_remote(source) or is_remote(target):
        try:
            import moxing
        except ImportError:
            raise UserError(
                "%s is in object storage, and moxing, which copies from there, is not installed; "
                "run on ModelArts, or give local folders"
                % (source if is_remote(source) else target)
            ) from None
        if is_remote(source) and not moxing.file.exists(source):
            return
        moxing.file.copy_parallel(source, target)
        return
    for folder, _, names in os.walk(source):
        place = os.path.normpath(os.path.join(target, os.path.relpath(folder, source)))
        os.makedirs(place, exist_ok=True)
        for name in names:
            _copy_file(os.path.join(folder, name), os.path.join(place, name))


def _copy_file(source: str, target: str) -> None:
    """Copies a file unless it is there as it is; one that vanishes meanwhile is left out."""
    try:
        stat = os.stat(source)
        if os.path.exists(target):
            there = os.stat(target)
            if (there.st_size, int(there.st_mtime)) == (stat.st_size, int(stat.st_mtime)):
                return
        shutil.copy2(source, target + ".incomplete")
        os.replace(target + ".incomplete", target)
    except FileNotFoundError:
        pass


def _copy_once(url: str, folder: str) -> None:
    """Copies a URL to this node; of the processes of one job on it, the first to come does so."""
    aside = folder + ".copied"
    os.makedirs(aside, exist_ok=True)
    mark = "%s in job %s\n" % (url, os.environ.get("JOB_ID") or os.getpid())
    with open(os.path.join(aside, "mark"), "a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.seek(0)
        if file.read() == mark:
            return
        print("copying %s to %s" % (url, folder), flush=True)
        copy(url, folder)
        file.truncate(0)
        file.write(mark)


def bring_in(url: str, folder: str) -> str:
    """The local folder of a URL's data; copied by the process of a node that comes first."""
    if not is_remote(url):
        if not os.path.isdir(url):
            raise UserError("--data_url=%s is not a folder" % url)
        return url
    _copy_once(url, folder)
    return folder


def find_records(folder: str) -> Tuple[str, Optional[str]]:
    """The folders of training and of evaluation records below `folder`.

    Those of evaluation, as `--eval_data_dir` takes several sets, may be absent.

    Raises:
      UserError: there are no training records, or several folders of them.
    """
    kinds: Dict[str, List[str]] = {"training": [], "evaluation": []}
    pattern = os.path.join(glob.escape(folder), "**", "manifest.json")
    for path in sorted(glob.glob(pattern, recursive=True)):
        values = read_json(path)
        kind = values.get("kind") if isinstance(values, dict) else None
        if kind in kinds:
            kinds[kind].append(os.path.dirname(path))
    if len(kinds["training"]) > 1:
        raise UserError(
            "--data_url holds several folders of training records (%s); give --data_dir, or keep "
            "one" % ", ".join(kinds["training"])
        )
    if not kinds["training"]:
        raise UserError(
            "--data_url holds no training records; data_tools/to_tfrecord.py writes them"
        )
    return kinds["training"][0], ",".join(kinds["evaluation"]) or None


def command(model_dir: str, records: Tuple[str, Optional[str]], further: List[str]) -> List[str]:
    """What trains on this node: one process, or the launcher of several."""
    training, evaluation = records
    mode = "train_and_evaluate" if evaluation else "train"
    flags = ["--mode=" + mode, "--model_dir=" + model_dir, "--data_dir=" + training]
    flags += ["--eval_data_dir=" + evaluation] if evaluation else []
    flags += further
    if _starts_ranks():
        logs = os.path.join(model_dir, "logs")
        launcher = [sys.executable, "-m", "bsrn_estimator.platforms.npu.launch"]
        return launcher + ["--log_dir=" + logs, "--"] + flags
    use = (
        [] if any(flag.startswith(("--use_npu", "--device=")) for flag in flags) else ["--use_npu"]
    )
    return [sys.executable, "-m", "bsrn_estimator.main"] + use + flags


def _starts_ranks() -> bool:
    """Whether the platform left it to this process to start the ranks of the node."""
    several = int(os.environ.get("RANK_SIZE") or "0") > 1
    return several and not os.environ.get("RANK_ID") and bool(rank_table.path_in(os.environ))


class Results:
    """The model folder on this node, and where its contents are to be kept.

    Args:
      url: --train_url.
      folder: a local folder for training, where `url` is remote.
      writes: whether this process copies; one a job does.
    """

    def __init__(self, url: str, folder: str, writes: bool) -> None:
        self.model_dir = folder if is_remote(url) else url
        self._url = url
        self._writes = writes and is_remote(url)

    def bring_earlier(self) -> None:
        """Brings in what an earlier job left, once for each node."""
        os.makedirs(self.model_dir, exist_ok=True)
        if is_remote(self._url):
            _copy_once(self._url, self.model_dir)

    def bring_back(self) -> None:
        """Copies the model folder to where it is kept."""
        if self._writes:
            copy(self.model_dir, self._url)


def run(arguments: List[str], results: Results, sync_seconds: float) -> int:
    """Runs training, copying results meanwhile; signals to stop are passed on to it."""
    environ = dict(os.environ)
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, [ROOT, environ.get("PYTHONPATH")]))
    process = subprocess.Popen(arguments, env=environ)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, _frame: process.send_signal(received))
    copied = time.monotonic()
    while process.poll() is None:
        time.sleep(_WAIT_SECONDS)
        if time.monotonic() - copied > sync_seconds:
            results.bring_back()
            copied = time.monotonic()
    return process.returncode


def _parse(arguments: Optional[Sequence[str]]) -> Tuple[argparse.Namespace, List[str]]:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data_url", required=True, help="where the records are")
    parser.add_argument("--train_url", required=True, help="where the results are kept")
    parser.add_argument(
        "--work_dir",
        default=_CACHE if os.path.isdir(_CACHE) else "modelarts",
        help="folder on this node for copies of what is in object storage",
    )
    parser.add_argument(
        "--sync_minutes", type=float, default=10, help="minutes between copies of the results"
    )
    parser.add_argument("--num_gpus", help="given by ModelArts; not looked at")
    return parser.parse_known_args(arguments)


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command; returns the exit status of the training."""
    given, further = _parse(arguments)
    first = int(os.environ.get("RANK_ID") or "0") == 0
    results = Results(given.train_url, os.path.join(given.work_dir, "results"), writes=first)
    try:
        records = find_records(bring_in(given.data_url, os.path.join(given.work_dir, "data")))
        results.bring_earlier()
        try:
            status = run(
                command(results.model_dir, records, further), results, 60 * given.sync_minutes
            )
        finally:
            results.bring_back()
        if first:
            from scripts import final_lines

            print("\n".join(final_lines.lines(results.model_dir)), flush=True)
    except UserError as error:
        print("error: %s" % error, file=sys.stderr)
        return 2
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
