"""What the network costs: parameters and multiply-adds, counted from its layers."""

from typing import List, Sequence, Tuple

from bsrn_estimator.config import Config

# A 3x3 convolution: (input channels, output channels, pixels of its output per LR pixel).
Layer = Tuple[int, int, int]


def _upscaler(scale: int, config: Config) -> List[Layer]:
    channels, size, layers = config.conv_features, 1, []
    for factor in [3] if scale == 3 else [2] * (scale.bit_length() - 1):
        layers.append((channels, channels * factor**2, size * size))
        size *= factor
    return layers


def _last(scale: int, config: Config) -> Layer:
    return (config.conv_features, 3, scale * scale)


def _block(config: Config) -> List[Layer]:
    carried = config.conv_features + config.state_features
    return [(carried, carried, 1)] * 3


def _first(config: Config) -> Layer:
    return (3, config.conv_features, 1)


def parameters(config: Config) -> int:
    """The number of trainable parameters of a network with all of `config.scales`."""
    layers = [_first(config)] + _block(config)
    for scale in config.scales:
        layers += _upscaler(scale, config) + [_last(scale, config)]
    return sum(9 * inputs * outputs + outputs for inputs, outputs, _ in layers)


def multiply_adds(
    config: Config, scale: int, size: Tuple[int, int] = (720, 1280), outputs: str = "all"
) -> int:
    """Multiply-adds of the convolutions for one picture, biases not counted.

    Args:
      config: the hyper-parameters.
      scale: the scale.
      size: height and width of the HR picture, in pixels; by the habit of the field 720 x 1280.
      outputs: "all", an upscaler and a last convolution for every output, as the ensemble needs
        in its plain form and training in any; "ensemble", the same with one last convolution;
        "last", the last output alone.

    Returns:
      The count; LR pixels are taken as size / scale^2, a fraction where it is one.
    """
    upscalers = 1 if outputs == "last" else len(config.output_recursions)
    last = upscalers if outputs == "all" else 1
    layers: List[Layer] = [_first(config)] + config.recursions * _block(config)
    layers += upscalers * _upscaler(scale, config) + last * [_last(scale, config)]
    return int(_per_lr_pixel(layers) * size[0] * size[1] / scale**2)


def _per_lr_pixel(layers: Sequence[Layer]) -> int:
    return sum(9 * inputs * outputs * pixels for inputs, outputs, pixels in layers)
