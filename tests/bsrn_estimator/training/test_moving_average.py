"""The moving average of the weights: what it is, and that whatever uses the network uses it."""

import functools

import numpy as np
import pytest

from bsrn_estimator import model_fn
from bsrn_estimator.checkpoints import contents, reference, restoring
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.compat import tf
from bsrn_estimator.networks import bsrn_layers
from bsrn_estimator.platforms.base import Platform, RunOptions
from bsrn_estimator.training import train as training
from bsrn_estimator.training.options import TrainingOptions
from tests.support import tiny

DECAY = 0.5
SMALL = dict(
    scales=(2, 3), conv_features=5, state_features=3, recursions=2, batch_size=2, patch_size=7
)
NAME = "generator/first_conv/conv2d/kernel"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "records"
    return tiny.write_records(folder, "training", [(61, 50), (37, 75)], scales=(2, 3))


def _train(data, folder, steps, start=lambda: None, **more):
    config = tiny.config(learning_rate=1e-2, **dict(SMALL, **more))
    run = RunOptions(model_dir=str(folder), save_checkpoints_steps=1, keep_checkpoint_max=0)
    options = TrainingOptions(data_dir=data, train_steps=steps)
    assert (
        training.train(
            config, Platform(), run, options, functools.partial(model_fn.build, first_weights=start)
        )
        == 0
    )
    return config


@pytest.fixture(scope="module")
def averaged(data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("averaged")
    return folder, _train(data, folder, 3, ema_decay=DECAY)


def _value(prefix, name):
    return tf.train.load_checkpoint(prefix).get_tensor(name)


def test_average_is_the_recurrence_over_the_steps(averaged):
    folder, _ = averaged
    shadow = _value(str(folder / "model.ckpt-0"), NAME)
    for step in (1, 2, 3):
        decay = min(DECAY, (1.0 + step) / (10.0 + step))
        prefix = str(folder / ("model.ckpt-%d" % step))
        shadow = decay * shadow + (1 - decay) * _value(prefix, NAME)
        found = _value(prefix, NAME + "/ExponentialMovingAverage")
        np.testing.assert_allclose(found, shadow, rtol=1e-5, atol=1e-7)
    assert np.abs(found - _value(prefix, NAME)).max() > 1e-4


def test_network_that_is_used_has_the_average(averaged):
    folder, config = averaged
    prefix = checkpoint_files.resolve(str(folder))
    assert contents.describe(prefix).is_averaged
    with tf.Graph().as_default(), tf.Session() as session:
        bsrn_layers.ensemble(np.zeros([1, 5, 5, 3], np.uint8), 2, config.network)
        restoring.restorer(prefix, config.network)(session)
        restored = {v.op.name: session.run(v) for v in tf.trainable_variables()}
    assert len(restored) == 12
    for name, value in restored.items():
        np.testing.assert_array_equal(value, _value(prefix, name + "/ExponentialMovingAverage"))


def test_reference_form_has_the_average_as_weights(averaged, tmp_path):
    prefix = checkpoint_files.resolve(str(averaged[0]))
    out = str(tmp_path / "model.ckpt")
    names = reference.write_reference(prefix, out, weights_only=True)
    assert not any("Average" in name for name in names)
    assert not contents.describe(out).is_averaged
    average = _value(prefix, NAME + "/ExponentialMovingAverage")
    np.testing.assert_array_equal(_value(out, NAME), average)


def test_average_of_a_run_that_starts_from_weights_starts_there(data, averaged, tmp_path):
    prefix = checkpoint_files.resolve(str(averaged[0]))
    config = tiny.config(learning_rate=1e-2, ema_decay=DECAY, **SMALL)
    start = restoring.initial_weights(prefix, config.network)
    _train(data, tmp_path, 1, start=start, ema_decay=DECAY)
    trained = _value(prefix, NAME + "/ExponentialMovingAverage")
    first = str(tmp_path / "model.ckpt-0")
    np.testing.assert_array_equal(_value(first, NAME), trained)
    np.testing.assert_array_equal(_value(first, NAME + "/ExponentialMovingAverage"), trained)


def test_without_decay_there_is_none(data, tmp_path):
    _train(data, tmp_path, 1)
    names = tf.train.load_checkpoint(str(tmp_path / "model.ckpt-1")).get_variable_to_shape_map()
    assert not any("Average" in name for name in names)
