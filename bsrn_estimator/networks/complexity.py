"""What a network costs: parameters and multiply-adds, counted from its layers."""

from typing import Iterator, List, Sequence, Tuple

from bsrn_estimator.networks.bsrn_fields import BsrnFields
from bsrn_estimator.networks.srdrm_fields import CHANNELS, RESIDUALS, WIDE, SrdrmFields

# A 3x3 convolution: (input channels, output channels, pixels of its output per LR pixel).
Layer = Tuple[int, int, int]


def _upscaler(scale: int, network: BsrnFields) -> List[Layer]:
    channels, size, layers = network.conv_features, 1, []
    for factor in [3] if scale == 3 else [2] * (scale.bit_length() - 1):
        layers.append((channels, channels * factor**2, size * size))
        size *= factor
    return layers


def _last(scale: int, network: BsrnFields) -> Layer:
    return (network.conv_features, 3, scale * scale)


def _block(network: BsrnFields) -> List[Layer]:
    carried = network.conv_features + network.state_features
    return [(carried, carried, 1)] * 3


def _first(network: BsrnFields) -> Layer:
    return (3, network.conv_features, 1)


def parameters(network: BsrnFields) -> int:
    """The number of trainable parameters of a network with all of `network.scales`."""
    layers = [_first(network)] + _block(network)
    for scale in network.scales:
        layers += _upscaler(scale, network) + [_last(scale, network)]
    return sum(9 * inputs * outputs + outputs for inputs, outputs, _ in layers)


def multiply_adds(
    network: BsrnFields, scale: int, size: Tuple[int, int] = (720, 1280), outputs: str = "all"
) -> int:
    """Multiply-adds of the convolutions for one picture, biases not counted.

    Args:
      network: its hyper-parameters.
      scale: the scale.
      size: height and width of the HR picture, in pixels; by the habit of the field 720 x 1280.
      outputs: "all", an upscaler and a last convolution for every output, as the ensemble needs
        in its plain form and training in any; "ensemble", the same with one last convolution;
        "last", the last output alone.

    Returns:
      The count; LR pixels are taken as size / scale^2, a fraction where it is one.
    """
    upscalers = 1 if outputs == "last" else len(network.output_recursions)
    last = upscalers if outputs == "all" else 1
    layers: List[Layer] = [_first(network)] + network.recursions * _block(network)
    layers += upscalers * _upscaler(scale, network) + last * [_last(scale, network)]
    return int(_per_lr_pixel(layers) * size[0] * size[1] / scale**2)


def _per_lr_pixel(layers: Sequence[Layer]) -> int:
    return sum(9 * inputs * outputs * pixels for inputs, outputs, pixels in layers)


def _srdrm_convolutions(network: SrdrmFields) -> Iterator[Tuple[int, int, int, int]]:
    """(side, input channels, output channels, pixels of its output per LR pixel) of each."""
    inputs, pixels = 3, 1
    for _ in range(network.blocks):
        yield 4, inputs, CHANNELS, pixels
        for _ in range(2 * RESIDUALS):
            yield 3, CHANNELS, CHANNELS, pixels
        yield 4, CHANNELS, CHANNELS, pixels
        inputs, pixels = WIDE, 4 * pixels
        yield 3, CHANNELS, WIDE, pixels
    yield network.output_kernel, WIDE, 3, pixels


def srdrm_parameters(network: SrdrmFields) -> int:
    """The number of trainable parameters of an SRDRM: kernels, biases, and two a channel of each
    batch norm."""
    convolutions = sum(k * k * i * o + o for k, i, o, _ in _srdrm_convolutions(network))
    return convolutions + network.blocks * (2 * RESIDUALS + 1) * 2 * CHANNELS


def srdrm_multiply_adds(network: SrdrmFields, size: Tuple[int, int] = (720, 1280)) -> int:
    """Multiply-adds of the convolutions of an SRDRM for one picture; see `multiply_adds`."""
    per_lr_pixel = sum(k * k * i * o * pixels for k, i, o, pixels in _srdrm_convolutions(network))
    return int(per_lr_pixel * size[0] * size[1] / network.scale**2)
