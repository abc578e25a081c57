"""The network: golden values of the reference implementation, names, shapes, parameter counts."""

import dataclasses

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.networks import bsrn_layers
from bsrn_estimator.networks.bsrn import Bsrn
from tests.support import golden


@pytest.fixture(scope="module", params=golden.NAMES)
def forward(request):
    """(golden, {scale: (outputs, ensemble)}), computed from the golden weights."""
    reference = golden.Golden(request.param)
    config, lr = reference.network, reference.forward["lr"][None]
    with tf.Graph().as_default():
        tensors = {
            s: (bsrn_layers.outputs(lr, s, config), bsrn_layers.ensemble(lr, s, config))
            for s in config.scales
        }
        with reference.session() as session:
            return reference, session.run(tensors)


def test_outputs_equal_the_golden_ones(forward):
    reference, results = forward
    for scale, (outputs, _) in results.items():
        recursions = reference.network.output_recursions
        assert len(outputs) == len(recursions)
        for recursion, output in zip(recursions, outputs):
            expected = reference.forward["x%d/recursion%d" % (scale, recursion)]
            assert output.shape == (1,) + expected.shape and output.dtype == np.float32
            largest = np.abs(output[0] - expected).max()
            print("%s x%d t%d: %.3g" % (reference.name, scale, recursion, largest))
            assert largest <= golden.FORWARD_BOUND


def _ensemble_bound(expected):
    """The bound of the golden values where they are colours; beyond, 3 steps of a float32.

    The golden weights are random, so the pictures reach 650, where a float32 has steps of 6e-5.
    There one last convolution of summed features and the sum of pictures differ by a few of them,
    and the golden file itself is 1e-4 away from the exact mean.
    """
    beyond = max(golden.FORWARD_BOUND, 3 * float(np.spacing(np.abs(expected).max())))
    is_colour = (expected >= 0) & (expected <= 255)
    return np.where(is_colour, golden.FORWARD_BOUND, beyond)


def test_ensemble_equals_the_golden_one(forward):
    reference, results = forward
    for scale, (_, ensemble) in results.items():
        expected = reference.forward["x%d/ensemble" % scale]
        whole = np.abs(ensemble[0] - expected)
        inside = np.abs(np.clip(ensemble[0], 0, 255) - np.clip(expected, 0, 255))
        print(
            "%s x%d ensemble: %.3g in 0..255, %.3g in all"
            % (reference.name, scale, inside.max(), whole.max())
        )
        assert np.all(whole <= _ensemble_bound(expected))
        assert np.all(inside <= golden.FORWARD_BOUND)


def test_ensemble_is_the_weighted_mean_in_float64(forward):
    reference, results = forward
    recursions = reference.network.output_recursions
    weights = np.array([2.0**recursion for recursion in recursions])
    for scale, (_, ensemble) in results.items():
        parts = [reference.forward["x%d/recursion%d" % (scale, r)] for r in recursions]
        mean = sum(w * p.astype(np.float64) for w, p in zip(weights, parts)) / weights.sum()
        distance = np.abs(ensemble[0] - mean)
        print("%s x%d from float64: %.3g" % (reference.name, scale, distance.max()))
        assert np.all(distance <= _ensemble_bound(mean.astype(np.float32)))


def test_ensemble_leaves_first_outputs_out():
    config = Bsrn(scales=(3,), conv_features=5, state_features=2, recursions=6)
    config = dataclasses.replace(config, recursion_frequency=2)
    lr = np.random.RandomState(3).randint(0, 256, (2, 5, 7, 3)).astype(np.uint8)
    with tf.Graph().as_default():
        outputs = bsrn_layers.outputs(lr, 3, config)
        ensembles = [bsrn_layers.ensemble(lr, 3, config, first_output=first) for first in range(3)]
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            outputs, ensembles = session.run([outputs, ensembles])
    weights = np.array([4.0, 16.0, 64.0])
    for first, ensemble in enumerate(ensembles):
        mean = np.average(outputs[first:], axis=0, weights=weights[first:])
        assert ensemble.shape == (2, 15, 21, 3)
        np.testing.assert_allclose(ensemble, mean, atol=1e-3)


def test_variables_are_those_of_the_reference():
    for name in golden.NAMES:
        reference = golden.Golden(name)
        weights = {k: v for k, v in reference.variables.items() if "Adam" not in k}
        with tf.Graph().as_default():
            for scale in reference.network.scales:
                bsrn_layers.outputs(tf.zeros([1, 2, 3, 3]), scale, reference.network)
            made = {v.op.name: v.shape.as_list() for v in tf.trainable_variables()}
        assert made == {k: v for k, v in weights.items() if k.startswith("generator/")}


@pytest.mark.parametrize(
    "scales, count",
    [((2,), 593987), ((3,), 778627), ((4,), 741699), ((2, 3, 4), 1225225)],
)
def test_parameter_counts_are_the_published_ones(scales, count):
    config = Bsrn(scales=scales, recursions=1)
    with tf.Graph().as_default():
        for scale in scales:
            bsrn_layers.outputs(tf.zeros([1, 1, 1, 3]), scale, config)
        assert sum(v.shape.num_elements() for v in tf.trainable_variables()) == count


def test_block_starts_near_zero_and_other_layers_do_not():
    # Standard deviations: sqrt(1.3e-4 / fan_in) cut at two of them, and Glorot's uniform.
    config = Bsrn(scales=(2,), conv_features=48, state_features=16, recursions=1)
    with tf.Graph().as_default():
        tf.set_random_seed(5)
        bsrn_layers.outputs(tf.zeros([1, 1, 1, 3]), 2, config)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            values = {v.op.name: session.run(v) for v in tf.trainable_variables()}
    fan_in = 9 * 64
    uncut = np.sqrt(1.3e-4 / fan_in)
    for name in ("conv2d", "conv2d_1"):
        kernel = values["generator/residual_modules/%s/kernel" % name]
        assert kernel.std() == pytest.approx(uncut * 0.8796256610342398, rel=0.02)
        assert np.abs(kernel).max() <= 2 * uncut
    limit = np.sqrt(6.0 / (fan_in + fan_in))
    kernel = values["generator/residual_modules/conv2d_2/kernel"]
    assert kernel.std() == pytest.approx(limit / np.sqrt(3), rel=0.02)
    assert all(not value.any() for name, value in values.items() if name.endswith("bias"))


def test_a_grey_level_of_the_mean_passes_as_it_is():
    # An input of the mean is 0 after the shift, and biases start at 0: the output is the mean.
    config = Bsrn(scales=(2, 3), conv_features=3, state_features=1, recursions=2)
    mean = (10.0, 120.5, 250.0)
    config = dataclasses.replace(config, rgb_mean=mean)
    lr = np.broadcast_to(np.float32(mean), (1, 4, 5, 3))
    with tf.Graph().as_default():
        result = bsrn_layers.ensemble(lr, 3, config)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            np.testing.assert_array_equal(
                session.run(result), np.broadcast_to(np.float32(mean), (1, 12, 15, 3))
            )
