"""Whether the health of a checkpoint is that of the run before it."""

import os
from typing import Dict, Iterator, Mapping, Optional, Sequence

import numpy as np

from bsrn_estimator import json_lines
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.checkpoints import health
from bsrn_estimator.checkpoints.health import Health
from bsrn_estimator.networks import probe
from bsrn_estimator.networks.base import Network
from bsrn_estimator.training import log
from bsrn_estimator.training.health import ACTIVE, DEAD, WEIGHT

# Points of the log that the median is taken of, and how many there must be for them to be taken.
_WINDOW, _ENOUGH = 101, 3
# What is out of line: less than this part of the usual active share, more than so many times the
# usual norm. In the first steps from first weights norms grow with the step, to twice their median.
_LEAST_ACTIVE, _MOST_NORM = 0.25, 4.0

Scalars = Mapping[str, float]


def fault(model_dir: str, checkpoint: str, step: int, network: Network) -> Optional[str]:
    """Why a checkpoint is no good start, in words; None where it is as the run was before it.

    Compared with the median of the points in the log before it; where those are too few, with that
    of the checkpoints before it.

    Args:
      model_dir: the model folder.
      checkpoint: path prefix of a whole checkpoint in it.
      step: its step.
      network: the network of the run.
    """
    now = health.of(checkpoint, network, averaged=False)
    before = _points(model_dir, step)
    if len(before) < _ENOUGH:
        before = list(_checkpoints(model_dir, checkpoint, network))
    return out_of_line(now, before)


def out_of_line(now: Health, before: Sequence[Scalars]) -> Optional[str]:
    """Why a checkpoint is not as the run was before it, in words; None where it is.

    Args:
      now: of the checkpoint.
      before: curves by name, of earlier steps.
    """
    if not before:
        return None

    def usual(name: str) -> Optional[float]:
        values = [scalars[name] for scalars in before if scalars.get(name) is not None]
        return float(np.median(values)) if values else None

    for name, layer in now.layers.items():
        dead, active = usual(DEAD + name), usual(ACTIVE + name)
        if dead is not None and layer.dead - dead > probe.MOST_DEAD * layer.units:
            found = (layer.dead, layer.units, name, dead)
            return "%d of the %d units of %s are dead, and %g were" % found
        if active is not None and layer.active < _LEAST_ACTIVE * active:
            return "%.2g of %s is active, and %.2g was" % (layer.active, name, active)
    for name, norm in now.norms.items():
        former = usual(WEIGHT + name)
        # Biases start at 0.
        if former and not name.endswith("/bias") and norm > _MOST_NORM * former:
            return "the norm of %s is %.3g, and was %.3g" % (name, norm, former)
    return None


def scalars_of(found: Health) -> Dict[str, float]:
    """The health of a checkpoint, by the names of the curves."""
    scalars = {ACTIVE + name: layer.active for name, layer in found.layers.items()}
    scalars.update((DEAD + name, layer.dead) for name, layer in found.layers.items())
    scalars.update((WEIGHT + name, norm) for name, norm in found.norms.items())
    return scalars


def _points(model_dir: str, step: int) -> Sequence[Scalars]:
    """The newest points of the log before a step."""
    lines = json_lines.read(os.path.join(model_dir, log.FILE_NAME))
    points = [
        line
        for line in lines
        if line.get("kind") == log.TRAINING
        and line["step"] < step
        and any(name.startswith(WEIGHT) for name in line)
    ]
    return points[-_WINDOW:]


def _checkpoints(model_dir: str, checkpoint: str, network: Network) -> Iterator[Scalars]:
    """Of the whole checkpoints that are older than `checkpoint`."""
    newest_first = checkpoint_files.checkpoints_in(model_dir)
    names = [os.path.basename(prefix) for prefix in newest_first]
    for prefix in newest_first[names.index(os.path.basename(checkpoint)) + 1 :]:
        if not checkpoint_files.damage(prefix):
            yield scalars_of(health.of(prefix, network, averaged=False))
