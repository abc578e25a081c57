"""Training steps: equal to those of the reference implementation, and the joint schedule."""

import dataclasses

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.config import Recipe
from bsrn_estimator.networks import losses
from bsrn_estimator.networks.bsrn import Bsrn
from bsrn_estimator.training import optimization
from tests.support import golden


def _trained(reference, session, fetches, feeds):
    """What `fetches` give in each golden step, and the weights after the last."""
    features, labels = feeds
    results = []
    for step in range(reference.step_count):
        values = {
            features["lr"]: reference.steps["step%d/lr" % step],
            features["scale"]: reference.steps["step%d/scale" % step],
            labels["hr"]: reference.steps["step%d/hr" % step],
        }
        results.append(session.run(fetches, values))
    return results, session.run({v.op.name: v for v in tf.trainable_variables()})


@pytest.fixture(scope="module", params=golden.NAMES)
def trained(request):
    """(golden, names of the variables, two runs of the golden training steps)."""
    reference = golden.Golden(request.param)
    with tf.Graph().as_default():
        features = {
            "lr": tf.placeholder(tf.uint8, [2, 12, 12, 3]),
            "scale": tf.placeholder(tf.int32, []),
        }
        labels = {"hr": tf.placeholder(tf.uint8, [2, None, None, 3])}
        loss, parts = losses.random_loss(features, labels, reference.network)
        step = tf.train.create_global_step()
        train_op, rate = optimization.train_op(
            loss, reference.config.recipe, reference.network.scope, step
        )
        names = {v.op.name: v.shape.as_list() for v in tf.global_variables()}
        runs = []
        for _ in range(2):
            with reference.session(with_optimizer=True) as session:
                fetches = {"loss": loss, "parts": parts, "rate": rate, "op": train_op}
                runs.append(_trained(reference, session, fetches, (features, labels)))
                assert session.run(step) == reference.step_count
    return reference, names, runs


def test_variables_are_those_of_the_reference(trained):
    reference, names, _ = trained
    assert names.pop("global_step") == []
    assert names == reference.variables


def test_losses_equal_the_golden_ones(trained):
    reference, _, runs = trained
    for step, result in enumerate(runs[0][0]):
        total = reference.steps["step%d/loss" % step]
        parts = reference.steps["step%d/recursion_l1" % step]
        largest = np.abs(np.append(result["parts"] / parts, result["loss"] / total) - 1).max()
        print("%s step %d: %.3g" % (reference.name, step, largest))
        assert result["loss"].dtype == np.float32 and len(result["parts"]) == len(parts)
        assert largest <= golden.LOSS_BOUND


def test_learning_rate_is_halved_in_stairs(trained):
    reference, _, runs = trained
    rates = [result["rate"] for result in runs[0][0]]
    np.testing.assert_array_equal(rates, np.float32([1e-3, 1e-3, 5e-4, 5e-4, 2.5e-4][: len(rates)]))


def test_weights_equal_the_golden_ones(trained):
    reference, _, runs = trained
    largest = max(
        np.abs(value - reference.steps["after/" + name]).max() for name, value in runs[0][1].items()
    )
    print("%s weights: %.3g" % (reference.name, largest))
    assert largest <= golden.WEIGHT_BOUND


def test_two_runs_are_equal_to_the_bit(trained):
    _, _, (first, second) = trained
    for before, after in zip(first[0], second[0]):
        assert before["loss"] == after["loss"] and before["parts"] == after["parts"]
    for name, value in first[1].items():
        np.testing.assert_array_equal(value, second[1][name])


@pytest.mark.parametrize("trained", ["multi_scale"], indirect=True)
def test_untaken_scales_move_on_by_momentum(trained):
    # Step 0 trains x2, no later step does; one step of Adam moves a weight by the rate at most.
    reference, _, runs = trained
    reader = tf.train.load_checkpoint(reference.checkpoint)
    name = "generator/last_conv/x2/conv2d/kernel"
    moved = np.abs(runs[0][1][name] - reader.get_tensor(name))
    assert moved.max() > 1.5e-3


def _batches(scales, patch, batch):
    """LR and HR patches of each scale, drawn at random."""
    draw = np.random.RandomState(11).randint
    return {
        scale: (
            draw(0, 256, (batch, patch, patch, 3)).astype(np.uint8),
            draw(0, 256, (batch, scale * patch, scale * patch, 3)).astype(np.uint8),
        )
        for scale in scales
    }


def _joint_and_single(config, batches):
    """Loss, parts and gradients of the joint schedule, and of each scale by itself."""
    lr = np.concatenate([batches[scale][0] for scale in config.scales])
    labels = {"hr_x%d" % scale: batches[scale][1] for scale in config.scales}
    loss, parts = losses.joint_loss({"lr": lr}, labels, config)
    variables = tf.trainable_variables()
    operations = [op.type for op in tf.get_default_graph().get_operations()]
    assert "Switch" not in operations and "Merge" not in operations
    joint = (loss, parts, tf.gradients(loss, variables))
    scale = tf.placeholder(tf.int32, [])
    patch = tf.placeholder(tf.uint8, lr[:2].shape)
    hr = tf.placeholder(tf.uint8, [2, None, None, 3])
    loss, parts = losses.random_loss({"lr": patch, "scale": scale}, {"hr": hr}, config)
    single = (loss, parts, tf.gradients(loss, variables))
    assert None not in single[2], "an untaken scale has gradients of zeros, not none"
    with tf.Session() as session:
        session.run(tf.global_variables_initializer())
        return session.run(joint), {
            s: session.run(single, {scale: s, patch: batches[s][0], hr: batches[s][1]})
            for s in config.scales
        }


def test_joint_is_the_mean_of_single_scales():
    config = Bsrn(scales=(2, 3, 4), conv_features=5, state_features=3, recursions=3)
    with tf.Graph().as_default():
        tf.set_random_seed(2)
        (loss, parts, gradients), singles = _joint_and_single(config, _batches((2, 3, 4), 7, 2))
    assert loss == pytest.approx(np.mean([single[0] for single in singles.values()]), rel=1e-6)
    for scale, single in singles.items():
        assert parts[scale] == pytest.approx(single[1], rel=1e-6)
    for index, gradient in enumerate(gradients):
        each = [single[2][index] for single in singles.values()]
        # Float32 sums in another order: relative to the largest entry of the tensor.
        bound = 1e-5 * max(np.abs(gradient).max(), 1e-6)
        np.testing.assert_allclose(gradient, np.mean(each, axis=0), rtol=0, atol=bound)


def test_joint_of_one_scale_is_a_step_of_that_scale():
    config = Bsrn(
        scales=(3,), conv_features=4, state_features=0, recursions=2, recursion_frequency=2
    )
    batches = _batches((3,), 5, 3)
    with tf.Graph().as_default():
        lr, hr = batches[3]
        joint = losses.joint_loss({"lr": lr}, {"hr_x3": hr}, config)
        single = losses.random_loss({"lr": lr}, {"hr": hr}, config)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            (joint, joint_parts), (single, single_parts) = session.run([joint, single])
    assert joint == pytest.approx(single, rel=1e-6)
    assert joint_parts == {3: [pytest.approx(part, rel=1e-6) for part in single_parts]}


def test_a_scale_without_upscaler_stops_the_step():
    config = Bsrn(scales=(2, 4), conv_features=2, state_features=0, recursions=2)
    config = dataclasses.replace(config, recursion_frequency=2)
    lr, hr = _batches((3,), 4, 1)[3]
    with tf.Graph().as_default():
        features = {"lr": lr, "scale": tf.constant(3)}
        loss, parts = losses.random_loss(features, {"hr": tf.constant(hr)}, config)
        assert len(parts) == 1
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            with pytest.raises(tf.errors.InvalidArgumentError):
                session.run(loss)


def _applied(config, gradient):
    """The gradient that Adam is given where that of the loss is `gradient`."""
    with tf.Graph().as_default():
        with tf.variable_scope("generator"):
            weight = tf.get_variable("kernel", [len(gradient)], initializer=tf.zeros_initializer())
        step = tf.train.create_global_step()
        seen = []

        class Spy(tf.train.AdamOptimizer):
            def apply_gradients(self, grads_and_vars, *args, **kwargs):
                seen.extend(grads_and_vars)
                return super().apply_gradients(grads_and_vars, *args, **kwargs)

        loss = tf.reduce_sum(weight * np.float32(gradient))
        optimization.train_op(loss, config, "generator/", step, lambda _: Spy(1e-3))
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            return session.run(seen[0][0])


@pytest.mark.parametrize(
    "clip_norm, expected", [(5.0, [3.0, 4.0]), (10.0, [6.0, 8.0]), (50.0, [6.0, 8.0]), (0, [6, 8])]
)
def test_gradients_are_clipped_by_norm(clip_norm, expected):
    gradient = _applied(Recipe(clip_norm=clip_norm), [6.0, 8.0])
    np.testing.assert_allclose(gradient, expected, rtol=1e-6)
