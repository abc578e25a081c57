"""Starts processes on this machine that train together, to try out what several machines do.

    python3 -m bsrn_estimator.platforms.cluster.launch --workers=2 [--log_dir=logs] -- FLAGS

FLAGS go to `python -m bsrn_estimator.main`. scripts/run_workers.sh is the short form.
"""

import argparse
import json
import os
import socket
import sys
from typing import Dict, List, Optional, Sequence

from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms import processes
from bsrn_estimator.platforms.cluster.tf_config import VARIABLE, WORKER

_HOST = "127.0.0.1"


def environments(addresses: Sequence[str]) -> Dict[int, Dict[str, str]]:
    """{rank: environment} of workers alone, the first of which is the chief."""
    return {
        rank: dict(
            os.environ,
            PYTHONUNBUFFERED="1",
            **{
                VARIABLE: json.dumps(
                    {
                        "cluster": {WORKER: list(addresses)},
                        "task": {"type": WORKER, "index": rank},
                    }
                )
            },
        )
        for rank in range(len(addresses))
    }


def free_addresses(count: int) -> List[str]:
    """Addresses of this machine at which nobody listens, for now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind((_HOST, 0))
        return ["%s:%d" % each.getsockname() for each in sockets]
    finally:
        for each in sockets:
            each.close()


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(
        description="Trains with several processes on this machine, to try out TF_CONFIG.",
        epilog="What follows -- goes to python -m bsrn_estimator.main.",
    )
    parser.add_argument("--workers", type=int, default=2, help="how many processes (2)")
    processes.add_arguments(parser, "worker")
    given = parser.parse_args(arguments)
    try:
        if given.workers < 2:
            raise UserError("--workers must be at least 2, not %d" % given.workers)
        processes.make_log_dir(given.log_dir)
    except UserError as error:
        print("error: %s" % error, file=sys.stderr)
        return 2
    stop = processes.Stop()
    command = [sys.executable, "-m", "bsrn_estimator.main", *processes.flags_after(given.flags)]
    started = processes.Processes(
        command, environments(free_addresses(given.workers)), given.log_dir, "worker"
    )
    print("%d workers started; their output is in %s" % (given.workers, given.log_dir), flush=True)
    try:
        return processes.follow(started, stop)
    finally:
        started.end_all()


if __name__ == "__main__":
    sys.exit(main())
