"""The optimisation step on replicas: on equal batches it is the step of one device."""

import os
import subprocess
import sys

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.training import optimization
from tests.support import tiny

# In a process of its own, for the devices of TensorFlow 2 are settled once for a process.
_PROGRAM = """
import sys
import numpy as np
from bsrn_estimator.checkpoints import restoring
from bsrn_estimator.networks import losses
from bsrn_estimator.training import optimization
from bsrn_estimator.compat import TF2, tf
from tests.support import golden

if TF2:
    (cpu,) = tf.config.experimental.list_physical_devices("CPU")
    two = [tf.config.experimental.VirtualDeviceConfiguration() for _ in range(2)]
    tf.config.experimental.set_virtual_device_configuration(cpu, two)
tf.logging.set_verbosity(tf.logging.ERROR)
reference = golden.Golden("single_scale_stateless")
config = reference.config


def model_fn(features, labels, mode):
    loss, _ = losses.random_loss(features, labels, config.network)
    step = tf.train.get_global_step()
    train_op, _ = optimization.train_op(loss, config.recipe, config.network.scope, step)
    start = restoring.initial_weights(
        reference.checkpoint, config.network, with_optimizer=True, initial_step=7
    )
    return tf.estimator.EstimatorSpec(mode, loss=loss, train_op=train_op, scaffold=start())


def values(name, strategy):
    run = tf.estimator.RunConfig(
        train_distribute=strategy, session_config=tf.ConfigProto(device_count={"CPU": 2})
    )
    folder = "%s/%s" % (sys.argv[1], name)
    batch = ({"lr": reference.steps["step0/lr"]}, {"hr": reference.steps["step0/hr"]})
    tf.estimator.Estimator(model_fn, folder, config=run).train(
        lambda: tf.data.Dataset.from_tensors(batch).repeat(), max_steps=9
    )
    reader = tf.train.load_checkpoint(folder + "/model.ckpt-9")
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


one = values("one", None)
two = values("two", tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"]))
assert one.keys() == two.keys() and len(one) == len(reference.variables) + 1
for name in one:
    np.testing.assert_allclose(two[name], one[name], rtol=0, atol=1e-6, err_msg=name)
clipped = one["generator/last_conv/conv2d/kernel/Adam"]
print("first moment of a clipped gradient:", np.sqrt((clipped**2).sum()))
"""


def test_replicas_with_one_batch_take_the_step_of_one_device(root, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(tmp_path)],
        env=dict(os.environ, PYTHONPATH=str(root)),
        cwd=str(root),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    # Two steps of a gradient clipped to 5: 5 * (1 - 0.9**2), if both point the same way.
    moment = float(done.stdout.split(":")[-1])
    assert 0.9 < moment <= 0.951


@pytest.mark.parametrize("epsilon", [1e-8, 0.5, 20.0])
def test_the_first_step_is_that_of_adam_by_hand(epsilon):
    """Of a loss whose gradient is 3: rate * sqrt(1 - b2) / (1 - b1) * m / (sqrt(v) + epsilon)."""
    recipe = tiny.config(adam_epsilon=epsilon, learning_rate=0.1, clip_norm=0).recipe
    with tf.Graph().as_default(), tf.Session() as session:
        weight = tf.get_variable("net/weight", [], initializer=tf.zeros_initializer())
        step = tf.train.get_or_create_global_step()
        train_op, _ = optimization.train_op(3.0 * weight, recipe, "net/", step)
        session.run(tf.global_variables_initializer())
        session.run(train_op)
        found = session.run(weight)
    first, second = 0.1 * 3.0, 0.001 * 9.0
    rate = 0.1 * np.sqrt(1 - 0.999) / (1 - 0.9)
    assert found == pytest.approx(-rate * first / (np.sqrt(second) + epsilon), rel=1e-4)


def test_what_follows_the_data_is_updated_with_the_step():
    """As the statistics of a batch norm, in the collection UPDATE_OPS."""
    recipe = tiny.config(learning_rate=0.1).recipe
    with tf.Graph().as_default(), tf.Session() as session:
        weight = tf.get_variable("net/weight", [], initializer=tf.zeros_initializer())
        mean = tf.get_variable("net/mean", [], initializer=tf.zeros_initializer(), trainable=False)
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, mean.assign_add(1.0))
        step = tf.train.get_or_create_global_step()
        train_op, _ = optimization.train_op(3.0 * weight, recipe, "net/", step)
        session.run(tf.global_variables_initializer())
        for _ in range(2):
            session.run(train_op)
        assert session.run([mean, step]) == [2.0, 2]
        assert session.run(weight) == pytest.approx(-0.2, rel=1e-3)


@pytest.mark.parametrize("factor", [1.0, 0.25, 2.0])
def test_the_block_has_a_rate_of_its_own_under_the_names_of_adam(factor):
    recipe = tiny.config(block_rate=factor, learning_rate=0.1, clip_norm=0).recipe
    with tf.Graph().as_default(), tf.Session() as session:
        block = tf.get_variable("net/block/weight", [2], initializer=tf.zeros_initializer())
        other = tf.get_variable("net/other/weight", [2], initializer=tf.zeros_initializer())
        step = tf.train.get_or_create_global_step()
        loss = tf.reduce_sum(3.0 * block + 3.0 * other)
        train_op, rate = optimization.train_op(
            loss, recipe, "net/", step, is_reused=lambda name: name == "net/block/weight"
        )
        session.run(tf.global_variables_initializer())
        for _ in range(3):
            session.run(train_op)
        found, expected, shown = session.run([block, other, rate])
        names = {variable.op.name for variable in tf.global_variables()}
    # A gradient that stays as it is moves Adam by its rate in each step.
    np.testing.assert_allclose(expected, -0.3, rtol=1e-4)
    np.testing.assert_allclose(found, factor * expected, rtol=1e-6)
    assert shown == np.float32(0.1)
    assert {"beta1_power", "net/block/weight/Adam", "net/block/weight/Adam_1"} <= names
    assert len(names) == 9


def test_the_network_names_the_block_alone():
    network = tiny.config().network
    reused = {name for name in network.weight_shapes() if network.is_reused(name)}
    assert len(reused) == 6
    assert all("residual_modules" in name for name in reused)


@pytest.mark.parametrize(
    "step, part", [(0, 1.0), (25, 0.8535534), (50, 0.5), (100, 0.0), (777, 0.0)]
)
def test_the_cosine_ends_at_zero_and_stays_there(step, part):
    recipe = tiny.config(
        learning_rate=0.2, learning_rate_schedule="cosine", learning_rate_decay_steps=100
    ).recipe
    with tf.Graph().as_default(), tf.Session() as session:
        rate = session.run(optimization.learning_rate_at(tf.constant(step, tf.int64), recipe))
    assert rate == pytest.approx(0.2 * part, abs=1e-6)


def rate_at(step, **recipe):
    """The rate of the step that follows `step` steps."""
    with tf.Graph().as_default(), tf.Session() as session:
        counted = tf.constant(step, tf.int64)
        return session.run(optimization.learning_rate_at(counted, tiny.config(**recipe).recipe))


@pytest.mark.parametrize("schedule, later", [("stairs", 0.05), ("cosine", 0.1), ("constant", 0.2)])
def test_the_rate_rises_in_a_line_and_follows_its_schedule(schedule, later):
    shared = dict(learning_rate=0.2, learning_rate_schedule=schedule, learning_rate_decay_steps=100)
    if schedule == "stairs":
        shared["learning_rate_decay"] = 0.25
    halfway = 50 if schedule == "cosine" else 150
    assert rate_at(halfway, warmup_steps=4, **shared) == pytest.approx(later)
    plain = [rate_at(step, **shared) for step in range(6)]
    risen = [rate_at(step, warmup_steps=4, **shared) for step in range(6)]
    np.testing.assert_allclose(np.divide(risen, plain), [0.25, 0.5, 0.75, 1, 1, 1], rtol=1e-6)
    assert rate_at(0, warmup_steps=0, **shared) == np.float32(0.2)
