"""Starts one training process for each NPU of this host, and stops them all when one dies.

    python3 -m bsrn_estimator.platforms.npu.launch --rank_table=FILE [flags of its own] -- FLAGS

FLAGS go to `python -m bsrn_estimator.main --use_npu`. scripts/run_npu_8p.sh is the short form.
"""

import argparse
import os
import sys
from typing import Dict, List, Optional, Sequence

from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms import processes
from bsrn_estimator.platforms.npu import rank_table
from bsrn_estimator.platforms.npu.environment import DEFAULT_JOB_ID


def start(
    devices: Sequence[rank_table.Device],
    rank_size: int,
    table: str,
    command: List[str],
    log_dir: str,
) -> processes.Processes:
    """Starts a rank for each NPU of this host.

    Args:
      devices: the NPUs.
      rank_size: how many ranks there are on all hosts.
      table: path of the rank table.
      command: what each rank runs.
      log_dir: folder of the logs, `rank_0.log` and so on.
    """
    environments = {d.rank_id: _environment(d, rank_size, table) for d in devices}
    return processes.Processes(command, environments, log_dir, "rank")


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
    processes.add_arguments(parser, "rank")
    return parser


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command; returns the exit status."""
    given = _parser().parse_args(arguments)
    flags = processes.flags_after(given.flags)
    try:
        if not given.rank_table:
            raise UserError("no rank table: give --rank_table=FILE or set RANK_TABLE_FILE")
        devices = rank_table.of_this_host(given.rank_table, given.ranks, given.server_id)
        processes.make_log_dir(given.log_dir)
    except UserError as error:
        print("error: %s" % error, file=sys.stderr)
        return 2
    stop = processes.Stop()
    ranks = start(
        devices,
        len(rank_table.load(given.rank_table)),
        given.rank_table,
        [sys.executable, "-m", "bsrn_estimator.main", "--use_npu"] + flags,
        given.log_dir,
    )
    print("%d ranks started; their output is in %s" % (len(devices), given.log_dir), flush=True)
    try:
        return processes.follow(ranks, stop)
    finally:
        ranks.end_all()


if __name__ == "__main__":
    sys.exit(main())
