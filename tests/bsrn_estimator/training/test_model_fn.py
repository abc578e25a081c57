"""The model function: what each mode's specification holds, and that no weight is idle."""

import dataclasses

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.data import input_fn
from bsrn_estimator.evaluation import model_fn as evaluation_model_fn
from bsrn_estimator.evaluation.options import EvaluationOptions
from bsrn_estimator.training import model_fn
from tests.support import tiny

CONFIG = tiny.CONFIG
MODES = tf.estimator.ModeKeys


def _trained(config, steps):
    """Values of the training tensors in each of `steps` steps on synthetic data."""
    with tf.Graph().as_default():
        tf.set_random_seed(3)
        data = input_fn.synthetic_input_fn(config)()
        features, labels = tf.data.make_one_shot_iterator(data).get_next()
        spec = model_fn.build(config)(features, labels, MODES.TRAIN)
        assert spec.loss.shape == [] and spec.loss.dtype == tf.float32
        fetches = dict(tf.get_collection(model_fn.TRAINING_TENSORS))
        gradients = tf.gradients(spec.loss, tf.trainable_variables())
        assert all(gradient is not None for gradient in gradients)
        values = []
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            for _ in range(steps):
                values.append(session.run([fetches, spec.train_op])[0])
    return values


@pytest.mark.parametrize("schedule", ["random", "joint"])
def test_training_offers_its_values_by_name(schedule):
    config = dataclasses.replace(CONFIG, scale_schedule=schedule)
    values = _trained(config, steps=3)
    assert [int(step["step"]) for step in values] == [1, 2, 3]
    if schedule == "random":
        parts = ["loss/recursion_2", "loss/recursion_4"]
        assert {int(step["scale"]) for step in values} <= {2, 3}
    else:
        parts = ["loss/x%d/recursion_%d" % (s, r) for s in (2, 3) for r in (2, 4)]
    for step in values:
        weights = np.array(config.output_weights)
        l1 = np.array([step[name] for name in parts]).reshape(-1, len(weights))
        np.testing.assert_allclose(step["loss/total"], (l1 @ weights).mean(), rtol=1e-5)
        assert step["learning_rate"] == np.float32(1e-4)


def test_evaluation_has_a_mean_for_each_scale_and_metric():
    with tf.Graph().as_default():
        tf.train.get_or_create_global_step()
        lr = {scale: np.zeros([1, 30 // scale, 36 // scale, 3], np.uint8) for scale in (2, 3)}
        features = {"key": tf.constant(["one"])}
        for scale in (2, 3):
            features["lr_x%d" % scale] = tf.constant(lr[scale])
            features["bicubic_x%d" % scale] = tf.zeros([1, 30, 36, 3], tf.uint8)
        labels = {"hr": tf.zeros([1, 30, 36, 3], tf.uint8)}
        options = EvaluationOptions(single_outputs=True)
        build = evaluation_model_fn.build(CONFIG, options=options)
        spec = build(features, labels, MODES.EVAL)
        assert {"psnr_y/x2", "ssim_y/x3", "t2_psnr_y/x3", "psnr_y/mean"} <= set(
            spec.eval_metric_ops
        )
        assert len(spec.evaluation_hooks) == 1
