"""Whole pictures on the card, in tiles of few shapes, against the network on the host."""

import functools

import numpy as np
import pytest

from bsrn_estimator.checkpoints import restoring
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks.bsrn import Bsrn
from bsrn_estimator.platforms.base import RunOptions
from bsrn_estimator.platforms.npu import evaluation as npu_evaluation
from bsrn_estimator.platforms.npu.environment import prepare
from bsrn_estimator.platforms.npu.options import NpuOptions
from bsrn_estimator.platforms.npu.platform import NpuPlatform
from tests.support import tiny

_NETWORK = Bsrn(scales=(2, 3), conv_features=3, state_features=2, recursions=2)
_NAMES = ["ensemble", "recursion_01", "recursion_02"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A checkpoint, and a function that gives its results for a whole picture on the host."""
    prefix = str(tmp_path_factory.mktemp("card") / "model.ckpt-3")
    graph = tf.Graph()
    with graph.as_default():
        tf.set_random_seed(3)
        lr = tf.placeholder(tf.uint8, [1, None, None, 3])
        made = {s: _NETWORK.results(lr, s, True) for s in _NETWORK.scales}
        tf.train.get_or_create_global_step()
        session = tf.Session()
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, prefix)
    yield prefix, lambda picture, scale: session.run(made[scale], {lr: picture})
    session.close()


@pytest.fixture
def on_card(install, trained, tmp_path):
    """The context in which the network is called on the card of the double."""
    install("r1.8.0")
    prepare()
    platform = NpuPlatform(NpuOptions(evaluate_on="npu", iterations_per_loop=5))
    return platform.evaluation_network(
        functools.partial(_NETWORK.results, singles=True),
        _NAMES,
        RunOptions(str(tmp_path)),
        trained[0],
        restoring.reading_scaffold(trained[0], _NETWORK),
    )


def test_equal_to_the_host_whatever_the_size(on_card, trained, monkeypatch):
    monkeypatch.setattr(npu_evaluation, "TILE", 40)
    sizes = [(53, 71), (40, 95), (31, 44), (23, 90)]
    with tf.Graph().as_default(), tf.Session() as session, on_card as results:
        lr = tf.placeholder(tf.uint8, [1, None, None, 3])
        made = {scale: results(lr, scale) for scale in _NETWORK.scales}
        for number, (height, width) in enumerate(sizes):
            picture = tiny.picture(number, height, width)[np.newaxis]
            for scale in _NETWORK.scales:
                plain = trained[1](picture, scale)
                card = session.run(made[scale], {lr: picture})
                assert set(card) == set(plain) == set(_NAMES)
                for name in _NAMES:
                    assert card[name].shape == (1, scale * height, scale * width, 3)
                    # This network looks less far than tiles overlap.
                    np.testing.assert_allclose(card[name], plain[name], atol=0.01)


def test_too_many_small_shapes_are_refused(on_card, monkeypatch):
    monkeypatch.setattr(npu_evaluation, "MOST_SHAPES", 1)
    with on_card as results:
        upscale = results.args[0].upscale
        upscale(tiny.picture(0, 30, 31)[np.newaxis], 2)
        with pytest.raises(UserError, match="--evaluate_on=host"):
            upscale(tiny.picture(0, 29, 31)[np.newaxis], 2)


def test_an_error_on_the_card_reaches_the_evaluation(on_card):
    with on_card as results:
        card = results.args[0]
        card._results_of = lambda lr, scale: {"ensemble": tf.reshape(lr, [7])}
        with pytest.raises(ValueError, match="reshape"):
            card.upscale(tiny.picture(0, 30, 31)[np.newaxis], 2)
