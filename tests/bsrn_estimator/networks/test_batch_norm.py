"""Batch norm: what it makes of a batch, how its averages move, and when they do not."""

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.networks import batch_norm

BATCH = np.random.RandomState(2).normal(3, 2, [2, 3, 5, 4]).astype(np.float32)


def test_averages_move_by_the_momentum_and_the_variance_of_a_sample():
    with tf.Graph().as_default(), tf.Session() as session:
        result = batch_norm.batch_norm(tf.constant(BATCH), 0.8, training=True)
        updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        session.run(tf.global_variables_initializer())
        made = session.run(result)
        session.run(updates)
        session.run(updates)
        moved = {v.op.name: session.run(v) for v in batch_norm.variables()}
    mean, variance = BATCH.mean((0, 1, 2)), BATCH.var((0, 1, 2))
    expected = (BATCH - mean) / np.sqrt(variance + 1e-3)
    np.testing.assert_allclose(made, expected, rtol=1e-4, atol=1e-5)
    sample = BATCH.reshape(-1, 4).var(0, ddof=1)
    np.testing.assert_allclose(moved["batch_norm/moving_mean"], (1 - 0.8**2) * mean, rtol=1e-4)
    np.testing.assert_allclose(
        moved["batch_norm/moving_variance"], 0.8**2 + (1 - 0.8**2) * sample, rtol=1e-4
    )
    assert sorted(moved) == sorted(
        "batch_norm/" + name for name in ("gamma", "beta", "moving_mean", "moving_variance")
    )


def test_a_trained_one_goes_by_its_averages_and_moves_nothing():
    with tf.Graph().as_default(), tf.Session() as session:
        result = batch_norm.batch_norm(tf.constant(BATCH), 0.8, training=False)
        assert not tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        gamma, beta, mean, variance = batch_norm.variables()
        values = {gamma: 2.0, beta: 0.5, mean: 1.0, variance: 4.0}
        session.run([v.assign(tf.fill([4], value)) for v, value in values.items()])
        made = session.run(result)
    np.testing.assert_allclose(made, 2 * (BATCH - 1) / np.sqrt(4.001) + 0.5, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_move_no_average(bad):
    spoilt = BATCH.copy()
    spoilt[0, 0, 0, 1] = bad
    with tf.Graph().as_default(), tf.Session() as session:
        batch_norm.batch_norm(tf.constant(spoilt), 0.5, training=True)
        session.run(tf.global_variables_initializer())
        session.run(tf.get_collection(tf.GraphKeys.UPDATE_OPS))
        mean, variance = session.run(tf.get_collection(tf.GraphKeys.MODEL_VARIABLES))
    assert mean[1] == 0 and variance[1] == 1
    assert np.isfinite(mean).all() and (mean[[0, 2, 3]] != 0).all()


def test_only_its_averages_and_what_learns_are_weights():
    with tf.Graph().as_default():
        with tf.variable_scope("mine"):
            batch_norm.batch_norm(tf.constant(BATCH), 0.5, training=False)
        tf.train.get_or_create_global_step()
        tf.get_variable("other", [1])
        assert len(batch_norm.variables("mine/")) == 4
        assert len(batch_norm.variables()) == 5
