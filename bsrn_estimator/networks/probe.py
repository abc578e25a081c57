"""A fixed picture that a network is shown to see which of its units live.

A unit is a channel behind a ReLU, in one layer. It is dead where it gives nothing at any pixel of
the picture: no gradient passes it there, so it learns nothing more.
"""

import os
from typing import Any, Dict, NamedTuple, Sequence

import numpy as np

from bsrn_estimator.compat import tf
from bsrn_estimator.networks.base import Network
from bsrn_estimator.pictures.decoding import read_rgb

# Pieces of photographs that come with scikit-image, all CC0 or in the public domain (astronaut,
# chelsea, coffee, rocket), shrunk to a third and laid side by side: bright and dark, smooth and
# detailed, of many colours.
_PATH = os.path.join(os.path.dirname(__file__), "probe.png")
# A layer of which more than this share is dead has lost a good part of what it can do.
MOST_DEAD = 0.25


class Layer(NamedTuple):
    """The units of a layer on the probe.

    Attributes:
      active: share of its values that are above 0; a float, or a float32 scalar of a graph.
      dead: how many of its units are 0 at every pixel; likewise.
      units: how many it has.
    """

    active: Any
    dead: Any
    units: int

    def of(self, values: Sequence[float]) -> "Layer":
        """The layer with `active` and `dead` as a session gave them."""
        active, dead = values
        return Layer(float(active), int(dead), self.units)

    @property
    def is_dying(self) -> bool:
        """Whether more than a quarter of its units are dead."""
        return self.dead > MOST_DEAD * self.units


def picture() -> np.ndarray:
    """The probe: LR patches, uint8 [8, 32, 32, 3], RGB."""
    strip = read_rgb(_PATH)
    return np.stack(np.split(strip, strip.shape[1] // strip.shape[0], axis=1))


def layers(network: Network) -> Dict[str, Layer]:
    """The layers of a network in the default graph, on the probe; its weights are made or reused.

    Returns:
      Layer by name; none for a family that names no activations.
    """
    found = {}
    for name, values in network.activations(tf.constant(picture())).items():
        active = tf.cast(values > 0, tf.float32)
        dead = tf.equal(tf.reduce_max(active, axis=[0, 1, 2]), 0.0)
        found[name] = Layer(
            tf.reduce_mean(active),
            tf.reduce_sum(tf.cast(dead, tf.float32)),
            int(values.shape[-1]),
        )
    return found
