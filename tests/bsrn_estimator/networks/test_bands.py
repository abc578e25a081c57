"""The ensemble in bands of rows against the golden values and against the whole."""

import functools

import numpy as np
import pytest

from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.networks import bands, bsrn_layers
from bsrn_estimator.networks.bsrn import Bsrn
from tests.support.golden import FORWARD_BOUND, Golden


@pytest.fixture(scope="module")
def golden():
    return Golden("multi_scale")


def _whole(trunk, scale, config, first):
    """The mean of pictures upscaled whole, added up in the order of `bands.ensemble`."""
    pictures = bsrn_layers.outputs_of(trunk[first:], scale, config)
    decay = 2.0**-config.recursion_frequency
    total = functools.reduce(lambda total, picture: picture + decay * total, pictures)
    return total / sum(decay**index for index in range(len(pictures)))


@pytest.fixture(scope="module")
def run(golden):
    """(lr, scale, HR pixels of a band, first output) -> the result in bands, and the whole."""
    with tf.Graph().as_default():
        lr = tf.placeholder(tf.float32, [None, None, None, 3])
        band = tf.placeholder(tf.int32, [])
        trunk = bsrn_layers.trunk(lr, golden.network)
        made = {
            (scale, first): (
                bands.ensemble(lr, scale, golden.network, first, band),
                _whole(trunk, scale, golden.network, first),
            )
            for scale in golden.network.scales
            for first in (0, 2)
        }
        with golden.session() as session:

            def run(picture, scale, pixels, first=0):
                return session.run(made[scale, first], {lr: picture, band: pixels})

            yield run


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
@pytest.mark.parametrize("pixels", [1, 1500, 10**6])
def test_bands_are_the_whole(golden, run, scale, pixels):
    in_bands, whole = run(golden.forward["lr"][np.newaxis], scale, pixels)
    assert in_bands.shape == whole.shape
    assert np.abs(in_bands - whole).max() <= (2e-4 if TF2 else 0)
    expected = np.clip(golden.forward["x%d/ensemble" % scale], 0, 255)
    assert np.abs(np.clip(in_bands[0], 0, 255) - expected).max() < FORWARD_BOUND


@pytest.mark.parametrize("height,width", [(1, 1), (4, 3), (5, 9), (23, 7)])
def test_odd_sizes_batches_and_shorter_ensembles(run, height, width):
    batch = np.random.RandomState(1).randint(0, 256, (3, height, width, 3)).astype(np.float32)
    in_bands, whole = run(batch, 3, 500, first=2)
    assert in_bands.shape == whole.shape == (3, 3 * height, 3 * width, 3)
    np.testing.assert_allclose(in_bands, whole, rtol=0, atol=2e-4 if TF2 else 0)


def test_static_shape(golden):
    with tf.Graph().as_default():
        lr = tf.zeros([2, 5, 7, 3])
        assert bands.ensemble(lr, 3, golden.network).shape.as_list() == [2, 15, 21, 3]


def test_tiles_hold_as_many_values_whatever_the_features():
    for features, state in ((64, 64), (32, 32), (32, 0), (7, 2)):
        network = Bsrn(conv_features=features, state_features=state)
        values = network.tile**2 * (features + state)
        assert 0.97 < values / (208**2 * 128) <= 1
