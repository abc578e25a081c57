"""Numbers that leave their range: training stops with the batch, or goes back and goes on."""

import json
import re

import numpy as np
import pytest

from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.compat import tf
from bsrn_estimator.data import input_fn
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks import losses
from bsrn_estimator.training import divergence, rollbacks
from tests.reliability.commands import assert_same_weights, curves, weights

# At this rate the first step throws the weights so far that the second one has no loss: NaN or inf,
# as the runtime's ReLU passes a NaN on or not.
TOO_FAST = ["--learning_rate=1e5"]


def batch_of(data_dir, config, step):
    """The batch of a step, straight from the input function."""
    read = input_fn.training_input_fn(
        data_dir, config.network.scales, config.recipe, start_step=step - 1
    )
    with tf.Graph().as_default(), tf.Session() as session:
        iterator = tf.data.make_initializable_iterator(read())
        features, labels = iterator.get_next()
        session.run(iterator.initializer)
        return session.run(dict(features, **labels))


def test_stops_with_the_batch(commands, flags, tmp_path, train_dir):
    arguments = flags + TOO_FAST + ["--model_dir=%s" % tmp_path, "--train_steps=8"]
    done = commands.run("main", *arguments)
    assert done.status == 1 and "Traceback" not in done.errors, done
    line = done.errors.splitlines()[-1]
    assert line.startswith(
        ("error: step 2: the loss is nan; its", "error: step 2: the loss is inf; its")
    )
    assert "the last good checkpoint is %s/model.ckpt-0;" % tmp_path in line
    with np.load(str(tmp_path / "diverged" / "step-2.npz")) as kept:
        expected = batch_of(train_dir, Config.load(str(tmp_path)), 2)
        assert set(kept.files) == set(expected) | {"step", "loss"}
        for name, value in expected.items():
            np.testing.assert_array_equal(kept[name], value)
        names = {key.decode() for key in kept["key"]}
    assert set(re.search(r"batch \((.*?)\)", line).group(1).split(", ")) == names
    # The point of the curve is on the disk, and no checkpoint of that step.
    assert sorted(curves(tmp_path)["loss/total"]) == [1, 2]
    assert not list(tmp_path.glob("model.ckpt-2*"))


def test_goes_back_past_weights_thrown_far_and_ends(commands, flags, tmp_path):
    """The newest checkpoint holds finite weights, far larger than before; that before it serves."""
    shared = flags + TOO_FAST + ["--save_checkpoints_steps=1", "--evaluation_steps=1"]
    shared += ["--on_nan=rollback", "--rollback_rate=1e-8"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    done = commands.run("main", *shared, "--model_dir=%s" % whole, "--train_steps=9")
    assert done.status == 0, done
    found = rollbacks.Rollbacks.load(str(whole))
    assert [(one.diverged_at, one.back_to) for one in found.of_run] == [(2, 0)]
    assert found.skipped_batches == 2
    assert "back to %s/model.ckpt-0 with other data" % whole in done.output
    assert (whole / "diverged" / "model.ckpt-1.index").exists()
    shown = curves(whole)
    assert sorted(shown["loss/total"]) == list(range(1, 10))
    lines = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    logged = [(line["step"], [pytest.approx(line["loss/total"], rel=1e-6)]) for line in lines]
    assert logged == sorted(shown["loss/total"].items())
    rates = {value for values in shown["learning_rate"].values() for value in values}
    assert list(rates) == [pytest.approx(1e5 * 1e-8)]
    # What it came to is kept: a run that ends in between goes on with the same data and rate.
    for steps in (5, 9):
        arguments = shared + ["--model_dir=%s" % parts, "--train_steps=%d" % steps]
        assert commands.run("main", *arguments).status == 0
    assert_same_weights(whole, parts)


BROKEN = [
    "--conv_features=8",
    "--state_features=8",
    "--patch_size=8",
    "--allow_change",
    "--save_checkpoints_steps=4",
    "--evaluation_steps=4",
    "--keep_checkpoint_max=0",
]


def test_goes_back_to_where_the_network_lived(commands, flags, tmp_path):
    """Twelve steps of a sound rate, eight of one that breaks the block in finite numbers."""
    arguments = flags + BROKEN + ["--model_dir=%s" % tmp_path]
    for rate, steps in (("1e-3", 12), ("0.3", 20)):
        more = ["--learning_rate=" + rate, "--train_steps=%d" % steps]
        begun = commands.run("main", *arguments, *more)
        assert begun.status == 0, begun
    further = TOO_FAST + ["--on_nan=rollback", "--rollback_rate=1e-8", "--train_steps=24"]
    done = commands.run("main", *arguments, *further)
    assert done.status == 0, done
    (found,) = rollbacks.Rollbacks.load(str(tmp_path)).of_run
    assert found.back_to == 12 and found.skipped_batches == found.diverged_at - 12 > 8
    # Those after it are finite, and set aside with a reason.
    for step in (16, 20):
        aside = str(tmp_path / "diverged" / ("model.ckpt-%d" % step))
        assert checkpoint_files.damage(aside) is None
        assert "model.ckpt-%d is passed over: " % step in done.output
    assert "back to %s/model.ckpt-12 with" % tmp_path in done.output


def test_a_checkpoint_serves_once(commands, flags, tmp_path):
    """A second divergence from it sets it aside, though newer ones, thrown far, are passed over."""
    shared = flags + ["--model_dir=%s" % tmp_path, "--save_checkpoints_steps=1"]
    shared += ["--evaluation_steps=1", "--keep_checkpoint_max=0"]
    assert commands.run("main", *shared, "--train_steps=3").status == 0
    further = TOO_FAST + ["--allow_change", "--on_nan=rollback", "--rollback_rate=1e-1"]
    done = commands.run("main", *shared, *further, "--max_rollbacks=12", "--train_steps=6")
    assert done.status == 0, done
    found = rollbacks.Rollbacks.load(str(tmp_path)).of_run
    assert [one.back_to for one in found[:3]] == [3, 2, 1]
    assert found[1].skipped_batches == found[1].diverged_at - 2
    for one in found[:2]:
        told = "model.ckpt-%d is passed over: training went back to it before" % one.back_to
        assert told in done.output
        assert (tmp_path / "diverged" / ("model.ckpt-%d.index" % one.back_to)).exists()


def test_goes_back_a_bounded_number_of_times(commands, flags, tmp_path):
    arguments = flags + TOO_FAST + ["--model_dir=%s" % tmp_path, "--train_steps=8"]
    arguments += ["--on_nan=rollback", "--max_rollbacks=1", "--rollback_rate=0.9"]
    done = commands.run("main", *arguments)
    assert done.status == 1 and "went back 1 times already" in done.errors, done
    assert all(np.isfinite(value).all() for value in weights(tmp_path).values())


def test_an_explosion_is_reproduced_by_its_batch(commands, flags, tmp_path):
    arguments = flags + ["--model_dir=%s" % tmp_path, "--train_steps=60", "--learning_rate=1e-5"]
    arguments += ["--save_checkpoints_steps=1", "--evaluation_steps=1", "--explosion_factor=1.01"]
    done = commands.run("main", *arguments)
    assert done.status == 1 and "above --explosion_factor=1.01 times its median" in done.errors
    step = int(re.search(r"error: step (\d+):", done.errors).group(1))
    assert step > 20 and checkpoint_files.newest_step(str(tmp_path)) == step - 1
    with np.load(str(tmp_path / "diverged" / ("step-%d.npz" % step))) as kept:
        loss = loss_of(kept, Config.load(str(tmp_path)), str(tmp_path / "model.ckpt-") + "%d")
        assert kept["loss"] == pytest.approx(loss, rel=1e-5)


def loss_of(batch, config, checkpoint):
    """The loss of a kept batch under the weights before its step."""
    with tf.Graph().as_default(), tf.Session() as session:
        features = {"lr": tf.constant(batch["lr"]), "scale": tf.constant(batch["scale"])}
        loss, _ = losses.random_loss(features, {"hr": tf.constant(batch["hr"])}, config.network)
        tf.train.Saver(tf.trainable_variables()).restore(session, checkpoint % (batch["step"] - 1))
        return session.run(loss)


def test_weights_that_are_not_finite_are_not_saved():
    with tf.Graph().as_default(), tf.Session() as session:
        good, bad = tf.Variable([1.0, 2.0], name="good"), tf.Variable([1.0, 2.0], name="bad")
        tf.Variable(3, name="a_count")
        listener = divergence.FiniteWeights()
        listener.begin()
        session.run(tf.global_variables_initializer())
        listener.before_save(session, 5)
        session.run(bad.assign([1.0, np.inf]))
        with pytest.raises(divergence.Diverged, match="bad is not finite") as caught:
            listener.before_save(session, 6)
        assert caught.value.step == 6 and good is not bad


class Values:
    """What a session hands to a hook."""

    def __init__(self, step, loss):
        self.results = {"step": [step], "loss/total": [loss]}


@pytest.mark.parametrize(
    "factor, losses, diverges",
    [
        (0.0, [1.0] * 30 + [1e30], False),
        (10.0, [1.0] * 30 + [9.9], False),
        (10.0, [1.0] * 30 + [10.1], True),
        (10.0, [1.0] * 19 + [1e9], False),  # too few to say what is usual
        (10.0, [0.0] * 30 + [1.0], False),
        (0.0, [1.0, float("inf")], True),
        (0.0, [float("nan")], True),
    ],
)
def test_what_counts_as_diverged(factor, losses, diverges):
    hook = divergence.DivergenceHook(factor)
    with tf.Graph().as_default():
        hook.begin()
    for step, loss in enumerate(losses[:-1]):
        hook.after_run(None, Values(step, loss))
    if not diverges:
        return hook.after_run(None, Values(7, losses[-1]))
    with pytest.raises(divergence.Diverged) as caught:
        hook.after_run(None, Values(7, losses[-1]))
    assert caught.value.step == 7


def test_many_names_and_strange_ones():
    assert divergence.shown(["a", "b\n"]) == "a, b\\n"
    assert divergence.shown([str(n) for n in range(10)]).endswith("6, 7 and 2 more")


@pytest.mark.parametrize(
    "content", ["", "{", "[1]", '[{"a": 1}]', '{"a": 1}', pytest.param("[" * 100000, id="deep")]
)
def test_damaged_rollbacks_are_refused(tmp_path, content):
    (tmp_path / "rollbacks.json").write_text(content)
    with pytest.raises(UserError, match="rollbacks.json (is damaged|cannot be read)"):
        rollbacks.Rollbacks.load(str(tmp_path))


def test_rollbacks_add_up(tmp_path):
    one = rollbacks.Rollback(7, 5, "nan", 2, 0.5)
    kept = rollbacks.Rollbacks().and_one(one).and_one(one)
    kept.save(str(tmp_path))
    assert rollbacks.Rollbacks.load(str(tmp_path)) == kept
    assert (kept.skipped_batches, kept.rate_factor) == (4, 0.25)
    assert json.loads((tmp_path / "rollbacks.json").read_text())[0]["reason"] == "nan"
