"""Communication between the simulated ranks of a run, through files in one folder."""

import collections
import io
import json
import os
import time

import numpy as np

_TIMEOUT_SECONDS = 60.0
_calls = collections.Counter()


def rank_size():
    """How many ranks train together, as the environment says."""
    return int(os.environ.get("RANK_SIZE") or "1")


def rank():
    """The index of this process among them."""
    return int(os.environ.get("RANK_ID") or "0")


def claim(card):
    """Takes a card for this rank.

    Raises:
      RuntimeError: another rank of this host has it.
    """
    folder = os.environ.get("NPU_DOUBLE_EXCHANGE")
    if rank_size() <= 1 or not folder:
        return
    path = os.path.join(folder, "card-%s-%d" % (_server(), card))
    try:
        with open(path, "x") as file:
            file.write(str(rank()))
    except FileExistsError:
        with open(path) as file:
            holder = file.read()
        if holder != str(rank()):
            raise RuntimeError("card %d is taken by rank %s" % (card, holder)) from None


def _server():
    """The server of this rank in the rank table; "" without one, or of the older form."""
    path = os.environ.get("RANK_TABLE_FILE")
    if not path:
        return ""
    with open(path) as file:
        servers = json.load(file).get("server_list", [])
    mine = [one for one in servers if str(rank()) in [card["rank_id"] for card in one["device"]]]
    return mine[0]["server_id"] if mine else ""


def gather(kind, arrays):
    """The lists of arrays that all ranks gave in their calls of this `kind` and turn, by rank."""
    folder = os.environ["NPU_DOUBLE_EXCHANGE"]
    turn = _calls[kind]
    _calls[kind] += 1
    _put(os.path.join(folder, "%s-%d-%d" % (kind, turn, rank())), arrays)
    return [
        _take(os.path.join(folder, "%s-%d-%d" % (kind, turn, other)))
        for other in range(rank_size())
    ]


def _put(path, arrays):
    buffer = io.BytesIO()
    np.savez(buffer, *arrays)
    with open(path + ".part", "wb") as file:
        file.write(buffer.getvalue())
    os.replace(path + ".part", path)


def _take(path):
    deadline = time.monotonic() + _TIMEOUT_SECONDS
    while not os.path.exists(path):
        if time.monotonic() > deadline:
            raise RuntimeError("HCCL: no answer from another rank: " + os.path.basename(path))
        time.sleep(0.002)
    with np.load(path) as stored:
        return [stored["arr_%d" % index] for index in range(len(stored.files))]
