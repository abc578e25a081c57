"""The block TRAIN: what its specification holds, and that no weight is idle."""

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.data import input_fn
from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.training import model_fn
from tests.support import tiny

CONFIG = tiny.CONFIG


def _trained(config, steps):
    """Values of the training tensors in each of `steps` steps on synthetic data."""
    with tf.Graph().as_default():
        tf.set_random_seed(3)
        data = input_fn.synthetic_input_fn(config.network.scales, config.recipe)()
        features, labels = tf.data.make_one_shot_iterator(data).get_next()
        spec = model_fn.spec(features, labels, config)
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
    config = CONFIG._replace(recipe=CONFIG.recipe.replace(scale_schedule=schedule))
    values = _trained(config, steps=3)
    assert [int(step["step"]) for step in values] == [1, 2, 3]
    if schedule == "random":
        parts = ["loss/recursion_02", "loss/recursion_04"]
        assert {int(step["scale"]) for step in values} <= {2, 3}
    else:
        parts = ["loss/x%d/recursion_%02d" % (s, r) for s in (2, 3) for r in (2, 4)]
    for step in values:
        weights = np.array(config.network.output_weights)
        l1 = np.array([step[name] for name in parts]).reshape(-1, len(weights))
        np.testing.assert_allclose(step["loss/total"], (l1 @ weights).mean(), rtol=1e-5)
        assert step["learning_rate"] == np.float32(1e-4)


class Refusing(Platform):
    """Devices that cannot run the step; they are asked for all that the session will run."""

    def check_step(self, fetches):
        raise UserError("no %s" % sorted(type(each).__name__ for each in fetches)[0])


def test_devices_are_asked_whether_they_can_run_the_step():
    with tf.Graph().as_default():
        data = input_fn.synthetic_input_fn(CONFIG.network.scales, CONFIG.recipe)()
        features, labels = tf.data.make_one_shot_iterator(data).get_next()
        with pytest.raises(UserError, match="no Operation"):
            model_fn.spec(features, labels, CONFIG, Refusing())
