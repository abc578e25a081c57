"""SRDRM as functions of tensors (arXiv:1909.09437, by its authors' published code).

The generator is made of blocks in a row, each of which doubles the size; there is no skip from the
input to the result. Pictures are in -1..1 here, as a tanh gives them.
"""

import contextlib
from typing import Any, Callable, Dict, Tuple

from bsrn_estimator.compat import tf
from bsrn_estimator.networks import bands, batch_norm
from bsrn_estimator.networks.srdrm_fields import CHANNELS, RESIDUALS, WIDE, SrdrmFields

# Of the batch norms within residual blocks, and of that behind them.
_MOMENTUM, _LAST_MOMENTUM = 0.5, 0.8
Scope = Callable[[], Any]


def _convolution(inputs, filters: int, side: int, name: str):
    """A convolution with bias; variables `name`/kernel and `name`/bias.

    An even kernel pads one pixel less before than after, as TensorFlow has it. Computed in the type
    of the variables, float32 except where a platform mixes precisions.
    """
    with tf.variable_scope(name):
        kernel = tf.get_variable(
            "kernel",
            [side, side, int(inputs.shape[-1]), filters],
            initializer=tf.glorot_uniform_initializer(),
        )
        bias = tf.get_variable("bias", [filters], initializer=tf.zeros_initializer())
    inputs = tf.cast(inputs, kernel.dtype.base_dtype)
    convolved = tf.nn.conv2d(inputs, kernel, strides=[1, 1, 1, 1], padding="SAME")
    return tf.nn.bias_add(convolved, bias)


def _normalised(inputs, side: int, momentum: float, name: str, training: bool, exact: Scope):
    """A convolution and its batch norm, which is computed in float32."""
    convolved = tf.cast(_convolution(inputs, CHANNELS, side, name), tf.float32)
    with tf.variable_scope(name), exact():
        return batch_norm.batch_norm(convolved, momentum, training)


def _narrow(inputs, name: str, training: bool, exact: Scope):
    """What a block does before it doubles the size: float32 [batch, height, width, 64]."""
    with tf.variable_scope("srdrm/" + name, reuse=tf.AUTO_REUSE):
        first = tf.nn.relu(_convolution(inputs, CHANNELS, 4, "first"))
        first = carried = tf.cast(first, tf.float32)
        for index in range(1, RESIDUALS + 1):
            with tf.variable_scope("residual_%d" % index):
                inner = _normalised(carried, 3, _MOMENTUM, "conv_1", training, exact)
                inner = tf.nn.relu(inner)
                inner = _normalised(inner, 3, _MOMENTUM, "conv_2", training, exact)
            carried = carried + inner
        return first + _normalised(carried, 4, _LAST_MOMENTUM, "second", training, exact)


def doubled(features):
    """Each pixel of [batch, height, width, channels] as two by two: twice the size."""
    # Channels that become pixels, whose gradient adds in one order on every device.
    return tf.depth_to_space(tf.concat([features] * 4, axis=-1), 2)


def _wide(features, name: str):
    """Doubles the size: [batch, 2 * height, 2 * width, 256], in the type of the convolution."""
    with tf.variable_scope("srdrm/" + name, reuse=tf.AUTO_REUSE):
        return tf.nn.relu(_convolution(doubled(features), WIDE, 3, "upscale"))


def _picture(features, network: SrdrmFields, exact: Scope):
    with tf.variable_scope("srdrm", reuse=tf.AUTO_REUSE):
        convolved = _convolution(features, 3, network.output_kernel, "last_conv")
    with exact():
        return tf.tanh(tf.cast(convolved, tf.float32))


def before_last_doubling(
    lr, network: SrdrmFields, training: bool = False, exact: Scope = contextlib.nullcontext
):
    """All that is computed before the last block doubles the size.

    Args:
      lr: float [batch, height, width, 3], in -1..1.
      network: its hyper-parameters.
      training: whether batch norms go by the batch, and their averages are to move.
      exact: makes the context of what has to be computed in float32.

    Returns:
      float32 [batch, scale / 2 * height, scale / 2 * width, 64].
    """
    features = lr
    for index in range(1, network.blocks + 1):
        features = _narrow(features, "block_%d" % index, training, exact)
        if index < network.blocks:
            features = _wide(features, "block_%d" % index)
    return features


def last_doubling(features, network: SrdrmFields, exact: Scope = contextlib.nullcontext):
    """The picture of what `before_last_doubling` gives: float32 of twice its size, in -1..1."""
    return _picture(_wide(features, "block_%d" % network.blocks), network, exact)


def generator(
    lr, network: SrdrmFields, training: bool = False, exact: Scope = contextlib.nullcontext
):
    """The result of the network.

    Args: see `before_last_doubling`.

    Returns:
      float32 [batch, scale * height, scale * width, 3], in -1..1.
    """
    return last_doubling(before_last_doubling(lr, network, training, exact), network, exact)


def generator_in_bands(lr, network: SrdrmFields):
    """As `generator` of a trained network, in less memory: the last doubling in bands of rows.

    There stand 256 channels a pixel of the result; before, 64 a quarter of them.
    """
    # Half of the last kernel and one pixel before it, at twice the size.
    margin = (network.output_kernel // 2 + 2) // 2
    features = before_last_doubling(lr, network)
    return bands.in_bands(features, 2, lambda part: last_doubling(part, network), margin)


def from_grey_levels(picture):
    """A picture of 0..255, any dtype, as float32 in -1..1."""
    return tf.cast(picture, tf.float32) / 127.5 - 1.0


def to_grey_levels(picture):
    """A picture in -1..1 as float32 in 0..255."""
    return (picture + 1.0) * 127.5


def weight_shapes(network: SrdrmFields) -> Dict[str, Tuple[int, ...]]:
    """The shape of every weight of a network, by name, moving averages included."""
    with tf.Graph().as_default():
        generator(tf.zeros([1, 1, 1, 3]), network)
        weights = batch_norm.variables(network.scope)
        return {weight.name.split(":")[0]: tuple(weight.shape.as_list()) for weight in weights}
