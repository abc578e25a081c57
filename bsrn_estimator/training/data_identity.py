"""Which data a run learns from, kept in its model folder so that it goes on with the same."""

import os
from typing import Any, Dict, List, Optional

from bsrn_estimator import files
from bsrn_estimator.data import sampling
from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.errors import UserError

FILE_NAME = "data.json"

_SHOWN = 3
# Where the shards lie and what they are called does not matter to training; what they hold does.
_FIELDS = ("dataset", "split", "scales", "encoding", "tile_size", "overlap", "pictures", "records")
# What files that do not say it mean.
_UNSAID = {"order": 1}


def identity(manifest: Manifest, **order: int) -> Dict[str, Any]:
    """What tells one data set, and the order in which it is read, from another.

    Args:
      manifest: of the training records.
      order: numbers beside the seed that decide which record a step reads.
    """
    values = {name: getattr(manifest, name) for name in _FIELDS}
    values["scales"] = list(manifest.scales)
    values["shards"] = [
        {"name": shard.name, "records": shard.records, "crc32c": shard.crc32c}
        for shard in manifest.shards
    ]
    values.update(order)
    return values


def check(model_dir: str, now: Dict[str, Any], allow_change: bool = False) -> None:
    """Compares the data of this run with those that the folder was trained with, if it was.

    Raises:
      UserError: they differ and `allow_change` is not set; the sentence lists the differences.
    """
    before = _saved(model_dir)
    if before is None:
        return
    listed = differences(before, now)
    if listed and not allow_change:
        raise UserError(
            "--model_dir=%s was trained with other data (%s); give the same --data_dir, name "
            "another folder, or add --allow_change" % (model_dir, "; ".join(listed))
        )


def order_of(model_dir: str) -> int:
    """The number of the rule that gives the order of the data: of the run in the folder, if any.

    Raises:
      UserError: it is none that this program knows.
    """
    before = _saved(model_dir)
    order = sampling.NEWEST_ORDER if before is None else before.get("order", _UNSAID["order"])
    if order not in range(1, sampling.NEWEST_ORDER + 1):
        raise UserError(
            "%s asks for the data in order %s, which this program does not know; go on with the "
            "one that wrote it, or name another folder"
            % (os.path.join(model_dir, FILE_NAME), order)
        )
    return order


def save(model_dir: str, values: Dict[str, Any]) -> None:
    """Writes MODEL_DIR/data.json, whole or not at all."""
    files.write_json(os.path.join(model_dir, FILE_NAME), values)


def differences(before: Dict[str, Any], now: Dict[str, Any]) -> List[str]:
    """What differs between two identities, a few words each."""
    listed = [
        "%s was %s, now %s" % (name, before.get(name), now[name])
        for name in now
        if name != "shards" and before.get(name, _UNSAID.get(name)) != now[name]
    ]
    shards = _by_name(before.get("shards")), _by_name(now["shards"])
    differing = [
        name for name in sorted(set(shards[0]) | set(shards[1])) if _differs(name, *shards)
    ]
    listed += ["%s %s" % (name, _differs(name, *shards)) for name in differing[:_SHOWN]]
    if len(differing) > _SHOWN:
        listed.append("and %d more shards" % (len(differing) - _SHOWN))
    return listed


def _saved(model_dir: str) -> Optional[Dict[str, Any]]:
    """What is written in the folder; None where nothing is."""
    path = os.path.join(model_dir, FILE_NAME)
    if not os.path.exists(path):
        return None
    values = files.read_json(path)
    if not isinstance(values, dict):
        raise UserError("%s does not describe a data set" % path)
    return values


def _by_name(shards: Any) -> Dict[str, Dict]:
    if not isinstance(shards, list):
        return {}
    return {str(s.get("name")): s for s in shards if isinstance(s, dict)}


def _differs(name: str, before: Dict, now: Dict) -> str:
    """How a shard differs, in words; empty where it does not."""
    if name not in now:
        return "is gone"
    if name not in before:
        return "is new"
    return "" if before[name] == now[name] else "holds other bytes"
