"""BSRN as functions of tensors (arXiv:1811.12546, section 3).

The features and the block state travel as one tensor of `conv_features + state_features` channels:
the block of the paper concatenates the two before each convolution and splits them after it, and
adds its input to the features alone. Here that sum is `result + keep * input` with `keep` 1 on the
channels of the features and 0 on those of the state, which gives the same numbers without a copy.

Names and shapes of the variables are those of the reference implementation, so its checkpoints
load as they are.
"""

import contextlib
import functools
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np

from bsrn_estimator.compat import tf
from bsrn_estimator.networks.bsrn_fields import BsrnFields

# Variance of the first two kernels of the block, times their fan-in. The reference implementation
# starts them near zero with a truncated normal of standard deviation sqrt(1.3 * 1e-4 / fan_in);
# `tf.variance_scaling_initializer` divides by the deviation of a unit normal cut at 2; so its
# square is here.
_BLOCK_VARIANCE = 1.3e-4 * 0.87962566103423978**2


def _channels(tensor) -> int:
    """The number of channels of a tensor, which is a Dimension under 1.15 and an int later."""
    return int(tensor.shape[-1])


def _convolution(
    inputs,
    filters: int,
    name: str,
    initializer=None,
    divisor: float = 1.0,
    after: Callable = contextlib.nullcontext,
):
    """A 3x3 convolution with zero padding and bias; variables `name`/kernel and `name`/bias.

    Computed in the type of the variables, float32 except where a platform mixes precisions.
    `divisor` divides the result before the bias is added, both in a context that `after` makes.
    """
    with tf.variable_scope(name):
        kernel = tf.get_variable(
            "kernel",
            [3, 3, _channels(inputs), filters],
            initializer=initializer or tf.glorot_uniform_initializer(),
        )
        bias = tf.get_variable("bias", [filters], initializer=tf.zeros_initializer())
    inputs = tf.cast(inputs, kernel.dtype.base_dtype)
    convolved = tf.nn.conv2d(inputs, kernel, strides=[1, 1, 1, 1], padding="SAME")
    with after():
        if divisor != 1:
            convolved = convolved / divisor
        return tf.nn.bias_add(convolved, bias)


def start(lr, network: BsrnFields):
    """What the recursions start from.

    Args:
      lr: [batch, height, width, 3], RGB in 0..255, any dtype; cast to float32 here.
      network: its hyper-parameters.

    Returns:
      float32 [batch, height, width, conv_features + state_features]: features, and a state of 0.
    """
    with tf.variable_scope("generator", reuse=tf.AUTO_REUSE):
        shifted = tf.cast(lr, tf.float32) - np.array(network.rgb_mean, np.float32)
        with tf.variable_scope("first_conv"):
            carried = _convolution(shifted, network.conv_features, "conv2d")
    carried = tf.cast(carried, tf.float32)
    if not network.state_features:
        return carried
    return tf.pad(carried, [[0, 0], [0, 0], [0, 0], [0, network.state_features]])


def recursion(carried, network: BsrnFields, seen: Callable = lambda units: None):
    """One recursion: features and state, as `start` returns them, to the next ones.

    `seen` is called with what its ReLU gives.
    """
    keep = np.ones(network.conv_features + network.state_features, np.float32)
    keep[network.conv_features :] = 0
    with tf.variable_scope("generator/residual_modules", reuse=tf.AUTO_REUSE):
        return _block(carried, keep, seen)


def features_of(carried, network: BsrnFields):
    """The features alone: float32 [batch, height, width, conv_features]."""
    return carried[..., : network.conv_features]


def _block(carried, keep, seen: Callable):
    """The convolutions of one recursion; `keep` is 1 on channels of features, 0 on the state's."""
    filters = _channels(carried)
    near_zero = tf.variance_scaling_initializer(
        scale=_BLOCK_VARIANCE, mode="fan_in", distribution="truncated_normal"
    )
    result = tf.nn.relu(_convolution(carried, filters, "conv2d", near_zero))
    seen(result)
    result = _convolution(result, filters, "conv2d_1", near_zero)
    carried = tf.cast(result, tf.float32) + keep * carried
    result = _convolution(carried, filters, "conv2d_2")
    return tf.cast(result, tf.float32) + keep * carried


def trunk(lr, network: BsrnFields) -> List:
    """The features after each recursion that has an output.

    Args:
      lr: [batch, height, width, 3], RGB in 0..255, any dtype; cast to float32 here.
      network: its hyper-parameters.

    Returns:
      A list as long as `network.output_recursions` of float32 [batch, height, width,
      conv_features].
    """
    carried, taken = start(lr, network), []
    for count in range(1, network.recursions + 1):
        carried = recursion(carried, network)
        if count in network.output_recursions:
            taken.append(features_of(carried, network))
    return taken


def activations(lr, network: BsrnFields) -> Dict[str, Any]:
    """What the ReLUs give, by layer; see `Network.activations`.

    Args:
      lr: [batch, height, width, 3], RGB in 0..255, any dtype.
      network: its hyper-parameters.
    """
    found: Dict[str, Any] = {}
    carried = start(lr, network)
    for count in range(1, network.recursions + 1):
        name = "recursion_%02d" % count
        carried = recursion(carried, network, functools.partial(found.__setitem__, name))
    for scale in network.scales:

        def seen(name: str, units, scale=scale) -> None:
            found["upscale_x%d/%s" % (scale, name)] = units

        _nearly_upscaled(features_of(carried, network), scale, seen)
    return found


def upscaled(features, scale: int):
    """Features at HR size.

    Args:
      features: float32 [batch, height, width, conv_features].
      scale: one of the scales of the network.

    Returns:
      float32 [batch, scale * height, scale * width, conv_features].
    """
    wide, factor = _nearly_upscaled(features, scale)
    return tf.depth_to_space(wide, factor)


def _nearly_upscaled(features, scale: int, seen: Callable = lambda name, units: None):
    """What `upscaled` returns before the channels of the last step become pixels; its factor.

    `seen` is called with the name of each convolution and what its ReLU gives.
    """
    channels = _channels(features)
    wide, factor = features, 1
    with tf.variable_scope("generator/upscale/x%d" % scale, reuse=tf.AUTO_REUSE):
        for index, following in enumerate([3] if scale == 3 else [2] * (scale.bit_length() - 1)):
            narrow = tf.depth_to_space(wide, factor) if index else features
            name = "conv2d_%d" % index if index else "conv2d"
            wide = tf.nn.relu(_convolution(narrow, channels * following**2, name))
            seen(name, wide)
            factor = following
    return wide, factor


def picture(
    features,
    scale: int,
    network: BsrnFields,
    divisor: float = 1.0,
    after: Callable = contextlib.nullcontext,
):
    """The picture that HR features stand for.

    Args:
      features: float32 [batch, height, width, conv_features], at HR size.
      scale: one of `network.scales`.
      network: its hyper-parameters.
      divisor: where `features` are a weighted sum of those of several outputs, the sum of the
        weights: the last convolution is linear, so the result is the weighted mean of pictures.
        Or the unit of features that are not in grey levels.
      after: makes the context of what follows the convolution.

    Returns:
      float32 [batch, height, width, 3], nominally in 0..255, neither rounded nor clipped.
    """
    # A network with one scale has no folder for it; so says the reference implementation.
    scope = "generator/last_conv/x%d" % scale if len(network.scales) > 1 else "generator/last_conv"
    with tf.variable_scope(scope, reuse=tf.AUTO_REUSE):
        result = _convolution(features, 3, "conv2d", divisor=divisor, after=after)
    with after():
        return result + np.array(network.rgb_mean, np.float32)


def outputs_of(
    trunk_features: Sequence,
    scale: int,
    network: BsrnFields,
    unit: float = 1.0,
    after: Callable = contextlib.nullcontext,
) -> List:
    """The picture after each recursion that has an output, from what `trunk` returned.

    Args:
      trunk_features: what `trunk` returned.
      scale: one of the scales of the network.
      network: its hyper-parameters.
      unit: what all features are multiplied with, where a platform has scaled the weights so.
      after: makes the context in which pictures are brought back to grey levels.
    """
    return [
        picture(upscaled(features, scale), scale, network, divisor=unit, after=after)
        for features in trunk_features
    ]


def outputs(lr, scale: int, network: BsrnFields) -> List:
    """The picture after each recursion that has an output.

    Args:
      lr: [batch, height, width, 3], RGB in 0..255, any dtype.
      scale: one of `network.scales`.
      network: its hyper-parameters.

    Returns:
      A list as long as `network.output_recursions` of float32 [batch, scale * height,
      scale * width, 3], nominally in 0..255, neither rounded nor clipped.
    """
    return outputs_of(trunk(lr, network), scale, network)


def ensemble_of(trunk_features: Sequence, scale: int, network: BsrnFields, first_output: int = 0):
    """The mean of the outputs, weighted by 2^recursion, from what `trunk` returned.

    The upscaled features are accumulated as they come, as channels that become pixels once, and
    pass one last convolution. The weight of the last output is 1 and the sum is halved before each
    recursion's addition: powers of two round nothing. `bands.ensemble` needs less memory.

    Args:
      trunk_features: what `trunk` returned.
      scale: one of `network.scales`.
      network: its hyper-parameters.
      first_output: leaves the outputs of smaller index out of the mean.

    Returns:
      float32 [batch, scale * height, scale * width, 3], neither rounded nor clipped.
    """
    decay = 2.0**-network.recursion_frequency
    total: Any = None
    weights = 0.0
    for features in trunk_features[first_output:]:
        if total is not None:
            # All features may be ready; upscaled at once they would take many times the memory.
            with tf.control_dependencies([total]):
                features = tf.identity(features)
        part, factor = _nearly_upscaled(features, scale)
        part = tf.cast(part, tf.float32)
        total = part if total is None else part + decay * total
        weights = 1.0 + decay * weights
    return picture(tf.depth_to_space(total, factor), scale, network, divisor=weights)


def ensemble(lr, scale: int, network: BsrnFields, first_output: int = 0):
    """The result of the network on `lr`; see `outputs` for shapes, `ensemble_of` for the mean."""
    return ensemble_of(trunk(lr, network), scale, network, first_output)


def clipped(picture):
    """A picture with its values brought into 0..255."""
    return tf.clip_by_value(picture, 0.0, 255.0)


def weight_shapes(network: BsrnFields) -> Dict[str, Tuple[int, ...]]:
    """The shape of every weight of a network, by name."""
    with tf.Graph().as_default():
        made = trunk(tf.zeros([1, 1, 1, 3]), network)
        for scale in network.scales:
            outputs_of(made, scale, network)
        weights = tf.trainable_variables(network.scope)
        return {weight.name.split(":")[0]: tuple(weight.shape.as_list()) for weight in weights}
