"""The discriminator of SRDRM-GAN (arXiv:1909.09437, by its authors' published code).

It tells for each field of a picture how real it looks: eight convolutions, every second of which
halves the size, and two dense layers at each place of what they leave.
"""

import contextlib
from typing import Any, Callable, NamedTuple, Tuple

from bsrn_estimator.compat import tf
from bsrn_estimator.networks import batch_norm

SCOPE = "discriminator/"
# Channels and stride of each convolution; all but the first have a batch norm.
CONVOLUTIONS: Tuple[Tuple[int, int], ...] = (
    (64, 1), (64, 2), (128, 1), (128, 2), (256, 1), (256, 2), (512, 1), (512, 2),
)  # fmt: skip
DENSE = 1024
_SIDE = 3
_MOMENTUM = 0.45
_SLOPE = 0.2


class Cost(NamedTuple):
    """Variables that learn, those that follow the data, and multiply-adds of one picture."""

    trainable: int
    moving: int
    multiply_adds: int


def discriminator(
    picture: Any, training: bool = True, exact: Callable = contextlib.nullcontext
) -> Any:
    """How real a picture looks, field by field.

    Args:
      picture: float32 [batch, height, width, 3], in -1..1.
      training: whether batch norms go by the batch, and their averages are to move; it is never
        used otherwise.
      exact: makes the context of what has to be computed in float32.

    Returns:
      float32 [batch, height / 16, width / 16, 1], rounded up, in 0..1.
    """
    with tf.variable_scope(SCOPE[:-1], reuse=tf.AUTO_REUSE):
        features = picture
        for index, (channels, stride) in enumerate(CONVOLUTIONS, 1):
            with tf.variable_scope("conv_%d" % index):
                features = tf.cast(_convolution(features, channels, _SIDE, stride), tf.float32)
                if index > 1:
                    with exact():
                        features = batch_norm.batch_norm(features, _MOMENTUM, training)
            features = tf.nn.leaky_relu(features, _SLOPE)
        # A dense layer on the channels of each place is a convolution of one pixel.
        with tf.variable_scope("dense_1"):
            features = tf.nn.leaky_relu(_convolution(features, DENSE, 1, 1), _SLOPE)
        with tf.variable_scope("dense_2"), exact():
            return tf.sigmoid(tf.cast(_convolution(features, 1, 1, 1), tf.float32))


def cost(height: int, width: int) -> Cost:
    """What it takes for a picture of that size, counted from the table; biases not multiplied."""
    trainable = moving = work = 0
    before = 3
    layers = [(channels, _SIDE, stride, index > 0) for index, (channels, stride) in
              enumerate(CONVOLUTIONS)]  # fmt: skip
    for channels, side, stride, normalised in layers + [(DENSE, 1, 1, False), (1, 1, 1, False)]:
        height, width = -(-height // stride), -(-width // stride)
        weights = side * side * before * channels
        trainable += weights + channels + (2 * channels if normalised else 0)
        moving += 2 * channels if normalised else 0
        work += weights * height * width
        before = channels
    return Cost(trainable, moving, work)


def _convolution(inputs: Any, filters: int, side: int, stride: int) -> Any:
    """A convolution with bias, in the type of its variables; see `srdrm_layers`."""
    kernel = tf.get_variable(
        "kernel",
        [side, side, int(inputs.shape[-1]), filters],
        initializer=tf.glorot_uniform_initializer(),
    )
    bias = tf.get_variable("bias", [filters], initializer=tf.zeros_initializer())
    inputs = tf.cast(inputs, kernel.dtype.base_dtype)
    strides = [1, stride, stride, 1]
    return tf.nn.bias_add(tf.nn.conv2d(inputs, kernel, strides=strides, padding="SAME"), bias)
