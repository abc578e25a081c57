"""Counts of parameters and multiply-adds against published ones and against a graph."""

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.networks import bsrn_layers, complexity
from bsrn_estimator.networks.bsrn import Bsrn


@pytest.mark.parametrize(
    "scales, count", [((2,), 593987), ((3,), 778627), ((4,), 741699), ((2, 3, 4), 1225225)]
)
def test_published_parameters(scales, count):
    assert complexity.parameters(Bsrn(scales=scales)) == count


# The paper's figures for a picture of 1280x720 (arXiv:1811.12546), in 10^9.
@pytest.mark.parametrize(
    "scale, last, every", [(2, 1666.7, 2200.0), (3, 760.5, 1294.0), (4, 451.8, 1112.7)]
)
def test_published_multiply_adds(scale, last, every):
    config = Bsrn()
    assert complexity.multiply_adds(config, scale, outputs="last") / 1e9 == pytest.approx(
        last, abs=0.06
    )
    assert complexity.multiply_adds(config, scale) / 1e9 == pytest.approx(every, abs=0.6)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_parameters_of_a_graph(scale):
    config = Bsrn(scales=(2, scale) if scale > 2 else (2,), conv_features=5, state_features=3)
    with tf.Graph().as_default():
        for one in config.scales:
            bsrn_layers.ensemble(np.zeros([1, 5, 5, 3], np.uint8), one, config)
        shapes = [variable.shape.as_list() for variable in tf.trainable_variables()]
    assert complexity.parameters(config) == sum(int(np.prod(shape)) for shape in shapes)
