"""The loss of one scale, compared with numpy in float64."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from bsrn_estimator.compat import tf
from bsrn_estimator.networks import losses
from bsrn_estimator.networks.bsrn import Bsrn


@pytest.fixture(scope="module")
def loss_of():
    """A function of (outputs, hr, weights): the total and the L1 of each output."""
    with tf.Graph().as_default(), tf.Session() as session:
        hr = tf.placeholder(tf.uint8, [None, None, None, 3])
        graphs = {}

        def run(outputs, truth, weights):
            if weights not in graphs:
                fed = [tf.placeholder(tf.float32, [None, None, None, 3]) for _ in weights]
                graphs[weights] = fed, losses.weighted_l1(fed, hr, weights)
            fed, results = graphs[weights]
            return session.run(results, dict(zip(fed + [hr], list(outputs) + [truth])))

        yield run


@hypothesis.given(
    seed=st.integers(0, 1000),
    height=st.integers(1, 7),
    width=st.integers(1, 7),
    batch=st.integers(1, 3),
    outputs=st.sampled_from([(1, 1), (3, 1), (4, 2), (16, 1)]),
)
def test_equals_numpy(loss_of, seed, height, width, batch, outputs):
    recursions, frequency = outputs
    config = Bsrn(recursions=recursions, recursion_frequency=frequency)
    random = np.random.RandomState(seed)
    count = len(config.output_recursions)
    results = random.uniform(-50, 300, (count, batch, height, width, 3)).astype(np.float32)
    truth = random.randint(0, 256, (batch, height, width, 3)).astype(np.uint8)
    total, parts = loss_of(results, truth, config.output_weights)
    each = np.abs(results.astype(np.float64) - truth).mean(axis=(1, 2, 3, 4))
    np.testing.assert_allclose(parts, each, rtol=1e-6)
    weights = 2.0 ** np.array(config.output_recursions)
    assert total == pytest.approx((each * weights).sum() / weights.sum(), rel=1e-6)
    assert total.dtype == np.float32


def test_is_zero_for_the_truth_and_one_a_grey_level(loss_of):
    truth = np.random.RandomState(0).randint(0, 256, (2, 3, 5, 3)).astype(np.uint8)
    same = truth.astype(np.float32)
    assert loss_of([same, same], truth, (1 / 3, 2 / 3)) == (0, [0, 0])
    total, parts = loss_of([same + 1, same - 4], truth, (1 / 3, 2 / 3))
    assert parts == [1, 4] and total == pytest.approx(3, rel=1e-6)


def test_half_precision_outputs_are_compared_in_float32():
    with tf.Graph().as_default(), tf.Session() as session:
        output = tf.constant(100, tf.float16, [1, 2, 2, 3])
        total, parts = losses.weighted_l1([output], np.full((1, 2, 2, 3), 98, np.uint8), (1.0,))
        assert total.dtype == parts[0].dtype == tf.float32
        assert session.run(total) == 2
