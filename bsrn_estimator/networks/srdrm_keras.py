"""The layers of SRDRM's generator as the Keras model of its authors has them, in order.

What the weights of each layer are called here; so their files of weights are read and written.
"""

from typing import Iterator, List, Optional, Sequence, Tuple

from bsrn_estimator.networks.base import KerasLayer
from bsrn_estimator.networks.srdrm_fields import OUTPUT_KERNELS, RESIDUALS, SCALES, SrdrmFields

_CONVOLUTION = ("kernel", "bias")
_NORM = ("gamma", "beta", "moving_mean", "moving_variance")
# Convolutions of a block; one more follows the last.
_OF_A_BLOCK = 2 * RESIDUALS + 3

# A kind of layer, the scope of its weights, and their names.
_Layer = Tuple[str, str, Sequence[str]]


def layers(network: SrdrmFields) -> List[KerasLayer]:
    """Every layer of the model, also those without weights; named as in a new process."""
    found, counts = [], {}
    for kind, scope, weights in _layers(network):
        counts[kind] = counts.get(kind, 0) + 1
        names = tuple((weight, scope + weight) for weight in weights)
        found.append(KerasLayer("%s_%d" % (kind, counts[kind]), names))
    return found


def fields_of(kernels: Sequence[Tuple[int, ...]]) -> Optional[Tuple[int, int]]:
    """Scale and side of the last kernel of the network that has these kernels; None without one.

    Args:
      kernels: the shapes of all kernels of four axes, in the order of the layers.
    """
    blocks, rest = divmod(len(kernels) - 1, _OF_A_BLOCK)
    if rest or 2**blocks not in SCALES or kernels[-1][0] not in OUTPUT_KERNELS:
        return None
    return 2**blocks, kernels[-1][0]


def _layers(network: SrdrmFields) -> Iterator[_Layer]:
    yield "input", "", ()
    for index in range(1, network.blocks + 1):
        yield from _block("srdrm/block_%d/" % index)
    yield "conv2d", "srdrm/last_conv/", _CONVOLUTION


def _block(scope: str) -> Iterator[_Layer]:
    yield "conv2d", scope + "first/", _CONVOLUTION
    yield "activation", "", ()
    for index in range(1, RESIDUALS + 1):
        inner = scope + "residual_%d/" % index
        yield from _normalised(inner + "conv_1/")
        yield "activation", "", ()
        yield from _normalised(inner + "conv_2/")
        yield "add", "", ()
    yield from _normalised(scope + "second/")
    yield "add", "", ()
    yield "up_sampling2d", "", ()
    yield "conv2d", scope + "upscale/", _CONVOLUTION
    yield "activation", "", ()


def _normalised(scope: str) -> Iterator[_Layer]:
    yield "conv2d", scope, _CONVOLUTION
    yield "batch_normalization", scope + "batch_norm/", _NORM
