"""BSRN in its plain form, to compare with: as the paper draws it, no shortcut taken.

Features and block state are concatenated before each convolution and split after it; every output
has an upscaler and a last convolution of its own. Names of variables are those of `network`.
"""

from typing import List

import numpy as np

from bsrn_estimator.compat import tf
from bsrn_estimator.networks.bsrn_fields import BsrnFields


def outputs(lr, scale: int, network: BsrnFields) -> List:
    """The picture after each recursion that has an output, as `network.outputs`."""
    mean = np.array(network.rgb_mean, np.float32)
    with tf.variable_scope("generator", reuse=tf.AUTO_REUSE):
        shifted = tf.cast(lr, tf.float32) - mean
        features = _convolution(shifted, network.conv_features, "first_conv/conv2d")
        state = tf.zeros(tf.concat([tf.shape(features)[:3], [network.state_features]], 0))
        state.set_shape([None, None, None, network.state_features])
        pictures = []
        for recursion in range(1, network.recursions + 1):
            features, state = _block(features, state, network)
            if recursion in network.output_recursions:
                pictures.append(_picture(features, scale, network) + mean)
    return pictures


def ensemble(lr, scale: int, network: BsrnFields):
    """The mean of the pictures, weighted by 2^recursion."""
    pictures = outputs(lr, scale, network)
    return tf.add_n([w * picture for w, picture in zip(network.output_weights, pictures)])


def _convolution(inputs, filters: int, name: str):
    channels = int(inputs.shape[-1])
    with tf.variable_scope(name, reuse=tf.AUTO_REUSE):
        kernel = tf.get_variable("kernel", [3, 3, channels, filters])
        bias = tf.get_variable("bias", [filters], initializer=tf.zeros_initializer())
    return tf.nn.bias_add(tf.nn.conv2d(inputs, kernel, [1, 1, 1, 1], "SAME"), bias)


def _block(features, state, network: BsrnFields):
    sizes = [network.conv_features, network.state_features]
    kept = features
    for index in range(3):
        name = "residual_modules/conv2d" + ("_%d" % index if index else "")
        joined = _convolution(tf.concat([features, state], -1), sum(sizes), name)
        features, state = tf.split(joined, sizes, -1)
        if index == 0:
            features, state = tf.nn.relu(features), tf.nn.relu(state)
        else:
            features = features + kept
            kept = features
    return features, state


def _picture(features, scale: int, network: BsrnFields):
    factors = [3] if scale == 3 else [2] * (scale.bit_length() - 1)
    for index, factor in enumerate(factors):
        name = "upscale/x%d/conv2d" % scale + ("_%d" % index if index else "")
        wide = _convolution(features, network.conv_features * factor**2, name)
        features = tf.depth_to_space(tf.nn.relu(wide), factor)
    folder = "last_conv/x%d/" % scale if len(network.scales) > 1 else "last_conv/"
    return _convolution(features, 3, folder + "conv2d")
