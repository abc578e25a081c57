"""The probe: which units of a network live, against a count in numpy."""

import numpy as np

from bsrn_estimator.compat import tf
from bsrn_estimator.networks import bsrn_layers, probe
from bsrn_estimator.networks.base import Network
from tests.support import tiny

NETWORK = tiny.NETWORK


def convolved(values, kernel, bias):
    """A 3x3 convolution with zero padding, [height, width, channels], by shifts."""
    padded = np.pad(values, [(1, 1), (1, 1), (0, 0)])
    height, width, _ = values.shape
    return bias + sum(
        padded[y : y + height, x : x + width] @ kernel[y, x] for y in range(3) for x in range(3)
    )


def test_the_first_recursion_by_hand():
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(4)
        layers = probe.layers(NETWORK)
        session.run(tf.global_variables_initializer())
        weights = {v.op.name: v for v in tf.trainable_variables()}
        bias = weights["generator/residual_modules/conv2d/bias"]
        # Of eight units one is off for good, and one always on.
        session.run(bias.assign([-1e4, 1e4, 0, 0, 0, 0, 0, 0]))
        values = session.run(weights)
        active, dead = session.run(layers["recursion_01"][:2])
    first, block = "generator/first_conv/conv2d/", "generator/residual_modules/conv2d/"
    on = []
    for picture in probe.picture():
        features = convolved(picture - 127.5, values[first + "kernel"], values[first + "bias"])
        carried = np.pad(features, [(0, 0), (0, 0), (0, NETWORK.state_features)])
        on.append(convolved(carried, values[block + "kernel"], values[block + "bias"]) > 0)
    assert active == np.float32(active) and abs(active - np.mean(on)) < 1e-3
    assert dead == np.sum(~np.any(on, axis=(0, 1, 2))) >= 1
    assert layers["recursion_01"].units == 8


def test_the_layers_of_a_network_and_what_they_are_made_of():
    network = NETWORK.replace(scales=(2, 3, 4))
    with tf.Graph().as_default():
        bsrn_layers.outputs(np.zeros([1, 4, 4, 3], np.uint8), 2, network)
        before = len(tf.trainable_variables())
        found = {name: layer.units for name, layer in probe.layers(network).items()}
        # Nothing of what is there is made twice; the other upscalers are new.
        assert len(tf.trainable_variables()) == before + 6
    recursions = {"recursion_0%d" % number: 8 for number in (1, 2, 3, 4)}
    upscalers = {"upscale_x2/conv2d": 20, "upscale_x3/conv2d": 45}
    upscalers.update({"upscale_x4/conv2d": 20, "upscale_x4/conv2d_1": 20})
    assert found == dict(recursions, **upscalers)


def test_the_picture_is_bright_and_dark():
    picture = probe.picture()
    assert picture.shape == (8, 32, 32, 3) and picture.dtype == np.uint8
    assert picture.min() < 10 and picture.max() > 245
    means = picture.mean(axis=(1, 2, 3))
    assert means.min() < 90 and means.max() > 170


def test_a_family_that_names_no_activations_has_no_layers():
    assert Network.activations(NETWORK, None) == {}
