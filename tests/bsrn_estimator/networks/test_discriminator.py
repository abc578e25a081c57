"""The discriminator of SRDRM-GAN: counts by hand, sizes, padding, whose averages move."""

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.networks import batch_norm, discriminator


def test_counts_of_the_authors_model():
    # 5,219,137 in all; 29.473 G multiply-adds for 640x480 (docs/srdrm.md).
    cost = discriminator.cost(480, 640)
    assert (cost.trainable, cost.moving) == (5215425, 3712)
    assert cost.trainable + cost.moving == 5219137
    assert cost.multiply_adds == pytest.approx(29.473e9, rel=1e-4)


@pytest.fixture(scope="module")
def built():
    """A session with the discriminator of a picture of 17x33: (session, picture, verdict)."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(2)
        picture = tf.placeholder(tf.float32, [None, 17, 33, 3])
        verdict = discriminator.discriminator(picture)
        session.run(tf.global_variables_initializer())
        yield session, picture, verdict


def test_the_graph_has_what_the_table_counts(built):
    session, _, verdict = built
    with session.graph.as_default():
        learn = tf.trainable_variables(discriminator.SCOPE)
        every = batch_norm.variables(discriminator.SCOPE)
    cost = discriminator.cost(17, 33)
    assert sum(int(np.prod(v.shape)) for v in learn) == cost.trainable
    assert sum(int(np.prod(v.shape)) for v in every) == cost.trainable + cost.moving
    # 17 halves to 9, 5, 3, 2; 33 to 17, 9, 5, 3.
    assert verdict.shape.as_list() == [None, 2, 3, 1]


def test_it_starts_undecided(built):
    session, picture, verdict = built
    noise = np.random.RandomState(0).uniform(-1, 1, [2, 17, 33, 3])
    found = session.run(verdict, {picture: noise})
    assert np.all((found > 0.1) & (found < 0.9)) and abs(found.mean() - 0.5) < 0.15


def test_stride_2_pads_behind_an_even_size():
    with tf.Graph().as_default(), tf.Session() as session:
        ones = tf.ones([1, 4, 4, 1])
        kernel = tf.ones([3, 3, 1, 1])
        made = tf.nn.conv2d(ones, kernel, strides=[1, 2, 2, 1], padding="SAME")
        # All nine pixels at the first place, so nothing is padded before them.
        assert session.run(made)[0, :, :, 0].tolist() == [[9, 6], [6, 4]]
