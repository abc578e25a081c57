"""The health of a checkpoint: which units of its network live, and how large its weights are."""

from typing import Dict, List, NamedTuple

import numpy as np

from bsrn_estimator.checkpoints import contents, literal, restoring
from bsrn_estimator.compat import tf
from bsrn_estimator.networks import probe
from bsrn_estimator.networks.base import Network


class Health(NamedTuple):
    """What a checkpoint is like.

    Attributes:
      layers: the layers of its network on the probe, by name, in its order; none for a family that
        names no activations.
      norms: the L2 norm of every weight, by its short name.
    """

    layers: Dict[str, probe.Layer]
    norms: Dict[str, float]


def of(prefix: str, network: Network, averaged: bool = True) -> Health:
    """Looks at the network in a checkpoint, on the CPU.

    Args:
      prefix: path prefix of the checkpoint (see `files.resolve`).
      network: the network that it holds.
      averaged: whether the moving averages are looked at, where it has them; else the weights that
        training goes on from.

    Raises:
      UserError: the checkpoint does not fit the network.
    """
    description = contents.describe(prefix)
    contents.check_fit(description, network)
    reader = literal.reader(prefix)
    norms: Dict[str, float] = {}
    for name in sorted(network.weight_shapes()):
        saved = network.saved_name(name, description.shapes)
        value = reader.get_tensor(description.trained(saved) if averaged else saved)
        norms[network.short_name(name)] = float(np.linalg.norm(value))
    return Health(_layers(prefix, network, averaged), norms)


def _layers(prefix: str, network: Network, averaged: bool) -> Dict[str, probe.Layer]:
    config = tf.ConfigProto(device_count={"GPU": 0})
    with tf.Graph().as_default():
        found = probe.layers(network)
        if not found:
            return {}
        restore = restoring.restorer(prefix, network, averaged=averaged)
        with tf.Session(config=config) as session:
            restore(session)
            values = session.run({name: layer[:2] for name, layer in found.items()})
    return {name: layer.of(values[name]) for name, layer in found.items()}


def table(layers: Dict[str, probe.Layer]) -> List[str]:
    """The layers as lines for people."""
    width = max([len(name) for name in layers] + [len("layer")])
    lines = ["%-*s  active   dead units" % (width, "layer")]
    for name, layer in layers.items():
        lines.append(
            "%-*s  %6.3f  %5d of %d" % (width, name, layer.active, layer.dead, layer.units)
        )
    return lines
