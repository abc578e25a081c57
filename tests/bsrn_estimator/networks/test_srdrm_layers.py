"""SRDRM's generator against Keras with the authors' model, and where its even kernels pad."""

import numpy as np
import pytest

from bsrn_estimator.checkpoints import trained
from bsrn_estimator.compat import tf
from bsrn_estimator.networks import batch_norm, srdrm_layers
from bsrn_estimator.networks.srdrm import Srdrm
from tests.support import srdrm_golden

GOLDEN = srdrm_golden.load()
BOUND = 1e-5


def given_weights(network):
    """{name here: the random weight that Keras had in its place}."""
    shapes = network.weight_shapes()
    order = [pair for layer in network.keras_layers() for pair in layer.weights]
    made = srdrm_golden.random_weights([(theirs, shapes[ours]) for theirs, ours in order])
    return {ours: value for (_, ours), value in zip(order, made)}


def loaded(network, session):
    for variable in batch_norm.variables(network.scope):
        variable.load(WEIGHTS[network][variable.op.name], session)


NETWORKS = {"x2": Srdrm(), "x4": Srdrm(scales=(4,))}
WEIGHTS = {network: given_weights(network) for network in NETWORKS.values()}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_equals_keras_with_random_weights(name):
    network = NETWORKS[name]
    with tf.Graph().as_default(), tf.Session() as session:
        lr = srdrm_layers.from_grey_levels(srdrm_golden.picture())
        made = srdrm_layers.generator(lr, network)
        loaded(network, session)
        found = session.run(made)
    assert np.abs(GOLDEN[name]).max() > 0.5  # neither zeros nor the ends of tanh
    # The sums of 39 layers of random weights, in another order, come apart a little further.
    bound = BOUND if name == "x2" else 3 * BOUND
    np.testing.assert_allclose(found, GOLDEN[name], atol=bound, rtol=0)


def test_equals_keras_in_training_its_averages_too():
    network = NETWORKS["x2"]
    with tf.Graph().as_default(), tf.Session() as session:
        lr = srdrm_layers.from_grey_levels(srdrm_golden.picture())
        made = srdrm_layers.generator(lr, network, training=True)
        updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        assert len(updates) == 2 * 17
        loaded(network, session)
        found, _ = session.run([made, updates])
        moved = {v.op.name: session.run(v) for v in batch_norm.variables(network.scope)}
    np.testing.assert_allclose(found, GOLDEN["x2_training"], atol=BOUND, rtol=0)
    for number, scope in zip(srdrm_golden.NORMS, ("residual_1/conv_1", "second")):
        for what in ("mean", "variance"):
            ours = moved["srdrm/block_1/%s/batch_norm/moving_%s" % (scope, what)]
            keras = GOLDEN["%s_%d" % (what, number)]
            np.testing.assert_allclose(ours, keras, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", srdrm_golden.PUBLISHED)
def test_equals_keras_with_the_published_weights(name, shared_dir):
    path = shared_dir / "reference" / "srdrm" / (name + ".h5")
    if not path.is_file():
        pytest.skip("no file %s on this machine" % path)
    network = trained.find(str(path))
    with tf.Graph().as_default():
        lr = srdrm_layers.from_grey_levels(srdrm_golden.picture())
        made = srdrm_layers.generator(lr, network.network)
        with network.session() as session:
            found = session.run(made)
    np.testing.assert_allclose(found, GOLDEN[name], atol=BOUND, rtol=0)


def test_an_even_kernel_pads_one_before_and_two_after():
    with tf.Graph().as_default(), tf.Session() as session:
        field = np.zeros([1, 5, 5, 3], np.float32)
        field[0, 2, 2, 0] = 1
        made = srdrm_layers.before_last_doubling(tf.constant(field), Srdrm())
        first = made.graph.get_tensor_by_name("srdrm/block_1/BiasAdd:0")
        kernel = tf.trainable_variables("srdrm/block_1/first/kernel")[0]
        session.run(tf.global_variables_initializer())
        found, weights = session.run([first, kernel])
    # Output (r, c) has kernel (i, j) on input (r + i - 1, c + j - 1): the 1 is met by i = 3 - r.
    for row in range(5):
        for column in range(5):
            i, j = 3 - row, 3 - column
            inside = 0 <= i < 4 and 0 <= j < 4
            expected = weights[i, j, 0] if inside else np.zeros(64)
            np.testing.assert_allclose(found[0, row, column], expected, atol=1e-6)


def test_doubling_repeats_each_pixel():
    field = np.arange(2 * 3 * 4 * 5, dtype=np.float32).reshape(2, 3, 4, 5)
    with tf.Graph().as_default(), tf.Session() as session:
        found = session.run(srdrm_layers.doubled(tf.constant(field)))
    np.testing.assert_array_equal(found, field.repeat(2, 1).repeat(2, 2))
