"""The environment variables through which an NPU process learns what it is among the others."""

import dataclasses
import logging
import os
from typing import MutableMapping, Optional

from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.npu import rank_table

DEFAULT_JOB_ID = "10087"
# Seconds that a rank waits for the others where HCCL_EXEC_TIMEOUT is not set, and the most that it
# may say on a 910.
_EXEC_TIMEOUT, _LONGEST_TIMEOUT = 1836, 17340
# npu_bridge would take initial weights from these without a word; a run here resumes from its
# model folder, and only from there.
_IGNORED = ("RESTORE_FROM", "LOCAL_CHECKPOINT_DIR")


@dataclasses.dataclass(frozen=True)
class Ranks:
    """This process among those that train together: its index, and how many there are."""

    rank: int = 0
    rank_size: int = 1


def prepare(environ: MutableMapping = os.environ, device_id: Optional[int] = None) -> Ranks:
    """Completes and checks the environment, before npu_bridge reads it (it does so once).

    JOB_ID and, for one card, RANK_SIZE and RANK_ID are set where they are absent: npu_bridge fails
    without them.

    Args:
      environ: the environment; changed in place.
      device_id: the card that the user asks for, for one process alone. The variables are set to
        it as well: in most builds the queue of data takes the card from them and from nothing else.

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
        if device_id is not None:
            _set_card(environ, device_id)
    else:
        if device_id is not None:
            raise UserError(
                "--device_id=%d would give each of the %d ranks the same card; leave it out, since "
                "the rank table says which card each takes" % (device_id, rank_size)
            )
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
    for name in rank_table.VARIABLES + ("POD_NAME",):
        if environ.pop(name, None):
            logging.info("%s is left aside: RANK_SIZE is 1", name)


def _check_peers(environ: MutableMapping, rank: int, rank_size: int) -> None:
    pod = environ.get("POD_NAME")
    if pod and pod != str(rank):
        raise UserError(
            "POD_NAME=%s would take the place of RANK_ID=%d in npu_bridge; unset it" % (pod, rank)
        )
    path = rank_table.path_in(environ)
    if not path:
        raise UserError("RANK_SIZE=%d needs RANK_TABLE_FILE, the path of a rank table" % rank_size)
    environ["RANK_TABLE_FILE"] = path
    devices = rank_table.load(path)
    if len(devices) != rank_size:
        raise UserError(
            "RANK_SIZE=%d, and rank table %s has %d ranks" % (rank_size, path, len(devices))
        )
    if not (environ.get("ASCEND_DEVICE_ID") or environ.get("DEVICE_ID")):
        _set_card(environ, devices[rank].device_id)


def _set_card(environ: MutableMapping, device_id: int) -> None:
    environ["DEVICE_ID"] = environ["ASCEND_DEVICE_ID"] = str(device_id)


def check_pause(seconds: float, environ: MutableMapping = os.environ) -> None:
    """Warns where rank 0 kept the others waiting for half of what they wait or longer.

    Args:
      seconds: how long it evaluated.
      environ: the environment.
    """
    text = environ.get("HCCL_EXEC_TIMEOUT", "")
    limit = int(text) if text.isdigit() else _EXEC_TIMEOUT
    if seconds > limit / 2:
        logging.warning(
            "this evaluation took %.0f s, and the other ranks give up after %d s: set "
            "HCCL_EXEC_TIMEOUT (multiples of 68, at most %d, on a 910), evaluate fewer pictures, "
            "or evaluate apart with --mode=train and --mode=evaluate",
            seconds,
            limit,
            _LONGEST_TIMEOUT,
        )
