"""The values of a checkpoint in a graph, and training that starts from them."""

import numpy as np
import pytest

from bsrn_estimator.checkpoints import contents, reference, restoring
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks import bsrn_layers, losses
from bsrn_estimator.training import optimization
from tests.support import checkpoints, golden

MULTI = golden.Golden("multi_scale")
SINGLE = golden.Golden("single_scale_stateless")


def test_a_subset_of_scales_reads_and_matches_the_golden_forward():
    config = contents.network_of(MULTI.checkpoint, dict(recursions=4, recursion_frequency=1))
    with tf.Graph().as_default(), tf.Session() as session:
        result = bsrn_layers.ensemble(MULTI.forward["lr"][None], 3, config)
        restoring.restorer(MULTI.checkpoint, config)(session)
        found = session.run(result)[0]
    np.testing.assert_allclose(
        np.clip(found, 0, 255),
        np.clip(MULTI.forward["x3/ensemble"], 0, 255),
        rtol=0,
        atol=golden.FORWARD_BOUND,
    )


def _trained(model_dir, config, steps, scaffold=lambda: None):
    """Trains with a real Estimator; returns all values of its checkpoint at step `steps`."""
    scale = config.network.scales[0]
    draw = np.random.RandomState(4).randint
    lr = draw(0, 256, (2, 5, 5, 3)).astype(np.uint8)
    hr = draw(0, 256, (2, 5 * scale, 5 * scale, 3)).astype(np.uint8)

    def input_fn():
        elements = ({"lr": lr, "scale": np.int32(scale)}, {"hr": hr})
        return tf.data.Dataset.from_tensors(elements).repeat()

    def model_fn(features, labels, mode):
        loss, _ = losses.random_loss(features, labels, config.network)
        train_op, _ = optimization.train_op(
            loss, config.recipe, config.network.scope, tf.train.get_global_step()
        )
        return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train_op, scaffold=scaffold())

    estimator = tf.estimator.Estimator(model_fn, str(model_dir))
    estimator.train(input_fn, max_steps=steps)
    return checkpoints.values(str(model_dir / ("model.ckpt-%d" % steps)))


def _moved(before, after, names):
    return max(np.abs(before[name] - after[name]).max() for name in names)


def test_training_starts_from_weights_alone(tmp_path, weights_only):
    # One step of Adam from a fresh state moves a weight by the learning rate at most.
    config = SINGLE.config
    start = restoring.initial_weights(SINGLE.checkpoint, config.network)
    after = _trained(tmp_path, config, 1, start)
    before = checkpoints.values(SINGLE.checkpoint)
    weights = contents.describe(SINGLE.checkpoint).weights
    assert 5e-4 < _moved(before, after, weights) < 1.001e-3
    assert after["global_step"] == 1
    # The run goes on by itself, and is not thrown back to the start.
    second = _trained(tmp_path, config, 2, start)
    assert second["beta1_power"] == pytest.approx(0.9**3)
    with pytest.raises(UserError, match="holds no state of Adam"):
        restoring.initial_weights(weights_only, MULTI.network, with_optimizer=True)


def test_training_continues_a_run_of_the_reference(tmp_path):
    # Three steps at once, or two, written in the reference's form, and the third.
    config = SINGLE.config
    start = restoring.initial_weights(SINGLE.checkpoint, config.network, with_optimizer=True)
    whole = _trained(tmp_path / "whole", config, 3, start)
    _trained(tmp_path / "part", config, 2, start)
    out = str(tmp_path / "model.ckpt")
    names = reference.write_reference(checkpoint_files.resolve(str(tmp_path / "part")), out)
    assert set(names) == set(SINGLE.variables)
    start = restoring.initial_weights(out, config.network, with_optimizer=True, initial_step=2)
    last = _trained(tmp_path / "rest", config, 3, start)
    assert last.keys() == whole.keys()
    for name, value in whole.items():
        np.testing.assert_allclose(last[name], value, rtol=1e-6, atol=1e-7, err_msg=name)


def test_training_of_one_scale_starts_from_several(tmp_path):
    config = Config.from_dict(dict(MULTI.config.to_dict(), scales=[2]))
    start = restoring.initial_weights(MULTI.checkpoint, config.network, with_optimizer=True)
    after = _trained(tmp_path, config, 1, start)
    before = checkpoints.values(MULTI.checkpoint)
    old, new = "generator/last_conv/x2/conv2d/kernel", "generator/last_conv/conv2d/kernel"
    assert np.abs(before[old] - after[new]).max() < 1.001e-3
    shapes = contents.describe(str(tmp_path / "model.ckpt-1")).shapes
    assert "generator/last_conv/conv2d/kernel" in shapes
    assert not any("x3" in name or "last_conv/x2" in name for name in after)
    with pytest.raises(UserError, match="no upscaler for x2"):
        restoring.initial_weights(SINGLE.checkpoint, config.network)


@pytest.mark.parametrize("scale", [2, 8])
def test_estimator_reads_a_checkpoint_without_global_step(tmp_path, scale):
    config = contents.network_of(MULTI.checkpoint, dict(recursions=4, recursion_frequency=1))
    scaffold = restoring.reading_scaffold(MULTI.checkpoint, config)
    lr = MULTI.forward["lr"][None]

    def model_fn(features, labels, mode):
        result = bsrn_layers.ensemble(features["lr"], scale, config)
        metrics = {"mean": tf.metrics.mean(result)}
        if mode == tf.estimator.ModeKeys.PREDICT:
            return tf.estimator.EstimatorSpec(mode, predictions=result, scaffold=scaffold())
        return tf.estimator.EstimatorSpec(
            mode, loss=tf.zeros([]), eval_metric_ops=metrics, scaffold=scaffold()
        )

    def input_fn():
        return tf.data.Dataset.from_tensors(({"lr": lr}, np.float32(0)))

    estimator = tf.estimator.Estimator(model_fn, str(tmp_path))
    found = estimator.evaluate(input_fn, checkpoint_path=MULTI.checkpoint)
    expected = MULTI.forward["x%d/ensemble" % scale]
    assert found["mean"] == pytest.approx(expected.mean(), abs=1e-3)
    assert found["global_step"] == 0
    (picture,) = estimator.predict(input_fn, checkpoint_path=MULTI.checkpoint)
    np.testing.assert_allclose(picture, expected, rtol=0, atol=3 * golden.FORWARD_BOUND)
