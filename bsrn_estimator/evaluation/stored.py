"""A network's results for one whole picture, as they would be stored, in the memory of a tile.

A picture of more LR pixels than a tile goes through the network in tiles that overlap, and only
what is rounded to 8 bits stands at full size.
"""

from typing import Any, Callable, Dict, Optional

from bsrn_estimator.compat import tf
from bsrn_estimator.evaluation import graph_metrics
from bsrn_estimator.networks import tiles
from bsrn_estimator.networks.base import Network
from bsrn_estimator.networks.choice import OutputChoice
from bsrn_estimator.networks.precision import FLOAT32, scope

# (lr, scale) to {output: picture}, as `Network.results`.
Results = Callable[[Any, int], Dict[str, Any]]

# Times that of predict: within 2e-4 grey levels of the whole picture, so that figures are its.
_OVERLAPS = 2
# Of the side of predict's tiles, so that margins take less, and pictures of most sets are whole.
_SIDES = 2


def stored_results(
    network: Network,
    lr,
    scale: int,
    singles: bool,
    one_channel,
    precision: str = FLOAT32,
    results: Optional[Results] = None,
) -> Dict[str, Any]:
    """The result of a network for one picture, and its single outputs.

    Args:
      network: the network.
      lr: uint8 [1, height, width, 3].
      scale: one of the scales of the network.
      singles: adds the picture of each output.
      one_channel: bool scalar, see `graph_metrics.as_stored`.
      precision: in which the network is computed.
      results: takes the place of the network, and has whole pictures.

    Returns:
      {output: uint8 [scale * height, scale * width, 3]}, the network's result first.
    """
    if results:
        return {
            name: as_stored(picture[0], one_channel) for name, picture in results(lr, scale).items()
        }
    choice = OutputChoice(output="all") if singles else OutputChoice()
    names = network.picture_names(choice)

    def upscale(tile):
        with scope(precision):
            pictures = network.pictures(tile[tf.newaxis], scale, choice)
        return tf.concat([as_stored(picture[0], one_channel) for picture in pictures], axis=2)

    upscale(lr[0])  # Makes the variables outside of the loops; never runs.
    channels = 3 * len(names)
    side, overlap = _SIDES * network.tile, _OVERLAPS * network.overlap
    made = tiles.upscale_in_tiles(lr[0], scale, upscale, side, overlap, channels)
    return dict(zip(names, tf.split(made, len(names), axis=2)))


def exact_result(
    network: Network,
    lr,
    scale: int,
    precision: str = FLOAT32,
    results: Optional[Results] = None,
) -> Any:
    """The result of a network for one picture before it is rounded.

    Args: see `stored_results`.

    Returns:
      float32 [scale * height, scale * width, 3], RGB in about 0..255.
    """
    if results:
        return results(lr, scale)[network.result][0]
    choice = OutputChoice()

    def upscale(tile):
        with scope(precision):
            return network.pictures(tile[tf.newaxis], scale, choice)[0][0]

    upscale(lr[0])  # as above
    side, overlap = _SIDES * network.tile, _OVERLAPS * network.overlap
    return tiles.upscale_in_tiles(lr[0], scale, upscale, side, overlap, dtype=tf.float32)


def as_stored(picture, one_channel):
    """A result, float32 [height, width, 3], as it is stored: uint8, see `metrics`."""
    return tf.cast(graph_metrics.as_stored(picture, one_channel), tf.uint8)
