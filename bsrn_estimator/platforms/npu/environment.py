"""The environment variables through which an NPU process learns what it is among the others."""

import dataclasses
import logging
import os
from typing import MutableMapping

from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.npu import rank_table

DEFAULT_JOB_ID = "10087"
# npu_bridge would take initial weights from these without a word; a run here resumes from its
# model folder, and only from there.
_IGNORED = ("RESTORE_FROM", "LOCAL_CHECKPOINT_DIR")


@dataclasses.dataclass(frozen=True)
class Ranks:
    """This process among those that train together: its index, and how many there are."""

    rank: int = 0
    rank_size: int = 1


def prepare(environ: MutableMapping = os.environ) -> Ranks:
    """Completes and checks the environment, before npu_bridge reads it (it does so once).

    JOB_ID and, for one card, RANK_SIZE and RANK_ID are set where they are absent: npu_bridge fails
    without them.

    Args:
      environ: the environment; changed in place.

    Raises:
      UserError: a variable is wrong, or contradicts another one.
    """
    if '"cluster"' in environ.get("TF_CONFIG", ""):
        raise UserError(
            "TF_CONFIG names a cluster, which npu_bridge would take for parameter servers; unset it"
        )
    for name in _IGNORED:
        if environ.pop(name, None):
            logging.warning("%s is ignored: training goes on from --model_dir alone", name)
    if environ.get("CM_WORKER_SIZE"):
        raise UserError(
            "CM_WORKER_SIZE is set: cards find each other by rank table here; unset the CM_ "
            "variables and give RANK_SIZE, RANK_ID and RANK_TABLE_FILE"
        )
    if not environ.get("JOB_ID"):
        environ["JOB_ID"] = DEFAULT_JOB_ID
    rank_size = _number(environ, "RANK_SIZE", 1, lowest=1)
    rank = _number(environ, "RANK_ID", 0 if rank_size == 1 else None)
    if rank >= rank_size:
        raise UserError("RANK_ID=%d must be below RANK_SIZE=%d" % (rank, rank_size))
    environ["RANK_SIZE"], environ["RANK_ID"] = str(rank_size), str(rank)
    if rank_size == 1:
        _leave_no_peers(environ)
    else:
        _check_peers(environ, rank, rank_size)
    return Ranks(rank, rank_size)


def _number(environ: MutableMapping, name: str, default, lowest: int = 0) -> int:
    text = environ.get(name)
    if not text:
        if default is None:
            raise UserError("%s is not set; scripts/run_npu_8p.sh sets it for every card" % name)
        return default
    if not text.isdigit() or int(text) < lowest:
        raise UserError("%s=%s must be a whole number of at least %d" % (name, text, lowest))
    return int(text)


def _leave_no_peers(environ: MutableMapping) -> None:
    """One card: a rank table or a pod name left over would make it look for others."""
    for name in ("RANK_TABLE_FILE", "POD_NAME"):
        if environ.pop(name, None):
            logging.info("%s is left aside: RANK_SIZE is 1", name)


def _check_peers(environ: MutableMapping, rank: int, rank_size: int) -> None:
    pod = environ.get("POD_NAME")
    if pod and pod != str(rank):
        raise UserError(
            "POD_NAME=%s would take the place of RANK_ID=%d in npu_bridge; unset it" % (pod, rank)
        )
    path = environ.get("RANK_TABLE_FILE")
    if not path:
        raise UserError("RANK_SIZE=%d needs RANK_TABLE_FILE, the path of a rank table" % rank_size)
    devices = rank_table.load(path)
    if len(devices) != rank_size:
        raise UserError(
            "RANK_SIZE=%d, and rank table %s has %d ranks" % (rank_size, path, len(devices))
        )
    if not (environ.get("ASCEND_DEVICE_ID") or environ.get("DEVICE_ID")):
        environ["DEVICE_ID"] = environ["ASCEND_DEVICE_ID"] = str(devices[rank].device_id)
