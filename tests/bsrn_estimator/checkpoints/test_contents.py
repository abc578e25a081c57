"""Checkpoints: what they hold, which is meant, how they start training and are read and written."""

import os
import shutil
import subprocess
import sys

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from bsrn_estimator.checkpoints import __main__ as checkpoint_command
from bsrn_estimator.checkpoints import contents, reference, restoring
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks import bsrn_layers, losses
from bsrn_estimator.networks.bsrn import Bsrn
from bsrn_estimator.training import optimization
from tests.support import golden

MULTI = golden.Golden("multi_scale")
SINGLE = golden.Golden("single_scale_stateless")
DATA = ".data-00000-of-00001"


def _values(prefix):
    """All variables of a checkpoint, by name."""
    reader = tf.train.load_checkpoint(str(prefix))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def _copy(prefix, target):
    for ending in (".index", DATA):
        shutil.copyfile(prefix + ending, str(target) + ending)
    return str(target)


def _cut(path, keep):
    """Leaves the first `keep` bytes of a file, as a full disk or a crash does."""
    with open(path, "r+b") as file:
        file.truncate(keep)


@pytest.fixture(scope="module")
def weights_only(tmp_path_factory):
    """A checkpoint with the golden weights of all scales, without Adam's state."""
    out = str(tmp_path_factory.mktemp("weights") / "model.ckpt")
    reference.write_reference(MULTI.checkpoint, out, weights_only=True)
    return out


# What a checkpoint holds.


def test_describes_a_network_of_several_scales():
    description = contents.describe(MULTI.checkpoint)
    assert description.scales == (2, 3, 4, 8)
    assert (description.told["conv_features"], description.told["state_features"]) == (16, 16)
    assert description.has_optimizer
    assert description.global_step is None
    assert {n: list(s) for n, s in description.shapes.items()} == MULTI.variables
    assert set(description.weights + description.optimizer_names) == set(MULTI.variables)


def test_describes_a_network_of_one_scale_without_state():
    description = contents.describe(SINGLE.checkpoint)
    assert description.scales == (4,)
    assert (description.told["conv_features"], description.told["state_features"]) == (8, 0)
    assert description.parameters == 6867


@pytest.mark.parametrize("reference", [MULTI, SINGLE], ids=golden.NAMES)
def test_expects_the_weights_that_the_reference_saves(reference):
    shapes = {name: list(shape) for name, shape in reference.network.weight_shapes().items()}
    weights = {n: s for n, s in reference.variables.items() if n.startswith("generator/")}
    assert shapes == {n: s for n, s in weights.items() if "Adam" not in n}


@pytest.mark.parametrize(
    "scales, count",
    [((2,), 593987), ((3,), 778627), ((4,), 741699), ((2, 3, 4), 1225225)],
)
def test_expects_the_published_number_of_parameters(scales, count):
    shapes = Bsrn(scales=scales).weight_shapes()
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == count


def test_refuses_what_is_no_bsrn(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable("dense/kernel", [3, 2])
        session.run(tf.global_variables_initializer())
        prefix = tf.train.Saver().save(session, str(tmp_path / "other"))
    with pytest.raises(UserError, match="holds no BSRN network"):
        contents.describe(prefix)


# The configuration of a checkpoint.


def test_reads_hyper_parameters_off_the_shapes():
    config = contents.network_of(MULTI.checkpoint, dict(recursions=4, recursion_frequency=2))
    expected = Bsrn(
        scales=(2, 3, 4, 8),
        conv_features=16,
        state_features=16,
        recursions=4,
        recursion_frequency=2,
    )
    assert config == expected


def test_asks_for_what_no_shape_tells():
    with pytest.raises(UserError) as caught:
        contents.network_of(MULTI.checkpoint)
    assert "--recursions and --recursion_frequency" in str(caught.value)
    with pytest.raises(UserError) as caught:
        contents.network_of(MULTI.checkpoint, dict(recursions=4))
    assert "give --recursion_frequency" in str(caught.value)


def test_saved_configuration_answers_and_arguments_override(tmp_path):
    prefix = _copy(SINGLE.checkpoint, tmp_path / "model.ckpt")
    SINGLE.config.save(str(tmp_path))
    assert contents.network_of(prefix) == SINGLE.network
    config = contents.network_of(prefix, dict(recursions=6))
    assert (config.recursions, config.recursion_frequency) == (6, 2)
    assert config.scales == (4,) and config.conv_features == 8


def test_saved_configuration_of_another_network_is_refused(tmp_path):
    prefix = _copy(SINGLE.checkpoint, tmp_path / "model.ckpt")
    Config(Bsrn(scales=(2, 4), conv_features=8, state_features=3)).save(str(tmp_path))
    with pytest.raises(UserError) as caught:
        contents.network_of(prefix)
    assert "no upscaler for x2" in str(caught.value)
    assert "state_features are 0, not 3" in str(caught.value)


def test_refusal_lists_what_differs_and_is_bounded(tmp_path):
    # All upscalers have kernels of half the width, and one bias is not there at all.
    with tf.Graph().as_default(), tf.Session() as session:
        for name, value in _values(MULTI.checkpoint).items():
            if name.endswith("upscale/x2/conv2d/bias"):
                continue
            if "upscale" in name and "Adam" not in name:
                value = value[..., ::2]
            tf.Variable(value, name=name)
        session.run(tf.global_variables_initializer())
        prefix = tf.train.Saver().save(session, str(tmp_path / "model.ckpt"))
    with pytest.raises(UserError) as caught:
        restoring.initial_weights(prefix, MULTI.network)
    message = str(caught.value)
    assert "it has no generator/upscale/x2/conv2d/bias" in message
    assert "generator/upscale/x2/conv2d/kernel is [3, 3, 16, 32], not [3, 3, 16, 64]" in message
    assert message.endswith("; and 10 more") and len(message) < 600


# Which checkpoint is meant.


def test_path_with_an_ending_or_a_folder(tmp_path):
    inner = tmp_path / "checkpoint"
    inner.mkdir()
    prefix = _copy(SINGLE.checkpoint, inner / "model.ckpt")
    paths = [prefix, prefix + ".index", prefix + ".meta", prefix + DATA, str(inner), str(tmp_path)]
    assert {checkpoint_files.resolve(path) for path in paths} == {prefix}


@pytest.mark.parametrize("path", ["", "model.ckpt-7", "empty"])
def test_path_without_a_checkpoint(tmp_path, path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=str(tmp_path)):
        checkpoint_files.resolve(str(tmp_path / path))


def test_newest_is_the_highest_step_whatever_the_age(tmp_path):
    for step in (9, 1000, 200):
        _copy(SINGLE.checkpoint, tmp_path / ("model.ckpt-%d" % step))
    _copy(SINGLE.checkpoint, tmp_path / "weights")
    assert checkpoint_files.resolve(str(tmp_path)) == str(tmp_path / "model.ckpt-1000")


@pytest.mark.parametrize("ending", [DATA, ".index"])
@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, -1])
def test_cut_short_is_passed_over(tmp_path, capsys, ending, keep):
    older = _copy(SINGLE.checkpoint, tmp_path / "model.ckpt-10")
    newer = _copy(SINGLE.checkpoint, tmp_path / "model.ckpt-20")
    size = os.path.getsize(newer + ending)
    _cut(newer + ending, int(keep * size) if isinstance(keep, float) else keep % size)
    assert checkpoint_files.resolve(str(tmp_path)) == older
    warning = capsys.readouterr().err
    assert warning.count("\n") == 1 and newer in warning and "damaged" in warning
    with pytest.raises(UserError, match="model.ckpt-20 is damaged"):
        checkpoint_files.resolve(newer)


@hypothesis.settings(max_examples=20)
@hypothesis.given(position=st.integers(0, os.path.getsize(SINGLE.checkpoint + DATA) - 1))
def test_a_flipped_bit_is_damage(tmp_path_factory, position):
    prefix = _copy(SINGLE.checkpoint, tmp_path_factory.mktemp("flipped") / "model.ckpt")
    assert checkpoint_files.damage(prefix) is None
    with open(prefix + DATA, "r+b") as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ (1 << position % 8)]))
    assert checkpoint_files.damage(prefix)


def test_a_missing_file_is_damage(tmp_path):
    prefix = _copy(SINGLE.checkpoint, tmp_path / "model.ckpt-20")
    os.remove(prefix + DATA)
    assert checkpoint_files.damage(prefix)
    with pytest.raises(UserError, match="holds no whole checkpoint"):
        checkpoint_files.resolve(str(tmp_path))


def test_a_file_that_cannot_be_opened_is_not_called_damaged(tmp_path):
    """What is not read says nothing of what it holds: no older one is taken in its place."""
    _copy(SINGLE.checkpoint, tmp_path / "model.ckpt-10")
    newer = _copy(SINGLE.checkpoint, tmp_path / "model.ckpt-20")
    os.remove(newer + DATA)
    os.mkdir(newer + DATA)
    with pytest.raises(UserError, match="ckpt-20.data.* cannot be read .*; make it readable"):
        checkpoint_files.resolve(str(tmp_path))


def test_what_is_missing_is_named(tmp_path, capsys):
    prefix = _copy(SINGLE.checkpoint, tmp_path / "model.ckpt-20")
    shutil.copyfile(prefix + DATA, prefix + ".data-00001-of-00003")
    assert checkpoint_files.damage(prefix) == "model.ckpt-20.data-00000-of-00003 is missing"
    os.remove(prefix + ".index")
    assert checkpoint_files.damage(prefix) == "model.ckpt-20.index is missing"


def test_a_checkpoint_that_a_run_removes_meanwhile_is_not_mentioned(tmp_path, monkeypatch, capsys):
    older = _copy(SINGLE.checkpoint, tmp_path / "model.ckpt-10")
    listed = checkpoint_files.checkpoints_in(str(tmp_path)) + [str(tmp_path / "model.ckpt-5")]
    monkeypatch.setattr(checkpoint_files, "checkpoints_in", lambda _: listed[::-1])
    assert checkpoint_files.newest_whole(str(tmp_path)) == older
    assert capsys.readouterr().err == ""


def test_estimator_is_made_to_go_on_from_the_newest_whole(tmp_path):
    folder = str(tmp_path)
    assert checkpoint_files.adopt_newest_whole(folder) is None
    assert checkpoint_files.adopt_newest_whole(str(tmp_path / "none")) is None
    for step in (10, 20, 30):
        _copy(SINGLE.checkpoint, tmp_path / ("model.ckpt-%d" % step))
    assert checkpoint_files.adopt_newest_whole(folder) == str(tmp_path / "model.ckpt-30")
    assert tf.train.latest_checkpoint(folder) == str(tmp_path / "model.ckpt-30")
    _cut(str(tmp_path / "model.ckpt-30") + DATA, 1000)
    assert checkpoint_files.adopt_newest_whole(folder) == str(tmp_path / "model.ckpt-20")
    state = tf.train.get_checkpoint_state(folder)
    names = [os.path.basename(path) for path in state.all_model_checkpoint_paths]
    assert names == ["model.ckpt-10", "model.ckpt-20"]
    assert state.model_checkpoint_path == str(tmp_path / "model.ckpt-20")


# Into a network.


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
    return _values(str(model_dir / ("model.ckpt-%d" % steps)))


def _moved(before, after, names):
    return max(np.abs(before[name] - after[name]).max() for name in names)


def test_training_starts_from_weights_alone(tmp_path, weights_only):
    # One step of Adam from a fresh state moves a weight by the learning rate at most.
    config = SINGLE.config
    start = restoring.initial_weights(SINGLE.checkpoint, config.network)
    after = _trained(tmp_path, config, 1, start)
    before = _values(SINGLE.checkpoint)
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
    before = _values(MULTI.checkpoint)
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


# Out again, and the command.


def test_round_trip_through_a_saver_of_the_reference_names(tmp_path):
    out = str(tmp_path / "new" / "model.ckpt")
    assert checkpoint_command.main(["write", MULTI.checkpoint, out]) == 0
    with tf.Graph().as_default(), tf.Session() as session:
        made = {n: tf.get_variable(n, shape) for n, shape in MULTI.variables.items()}
        tf.train.Saver().restore(session, out)
        found = session.run(made)
    expected = _values(MULTI.checkpoint)
    assert expected.keys() == _values(out).keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    assert sorted(os.listdir(os.path.dirname(out))) == ["model.ckpt" + DATA, "model.ckpt.index"]


def test_write_refuses_what_it_cannot_do(tmp_path, capsys, weights_only):
    assert checkpoint_command.main(["write", weights_only, str(tmp_path / "a")]) == 2
    assert "add --weights_only" in capsys.readouterr().err
    assert checkpoint_command.main(["write", weights_only, weights_only, "--weights_only"]) == 2
    assert "exists; name another place" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    out = str(tmp_path / "file" / "model.ckpt")
    assert checkpoint_command.main(["write", weights_only, out, "--weights_only"]) == 2
    assert capsys.readouterr().err.startswith("error: %s cannot be written" % out)
    assert os.listdir(str(tmp_path)) == ["file"]


def test_write_into_a_folder(tmp_path, capsys, weights_only):
    assert checkpoint_command.main(["write", weights_only, str(tmp_path), "--weights_only"]) == 0
    assert "30 variables" in capsys.readouterr().out
    assert checkpoint_files.resolve(str(tmp_path)) == str(tmp_path / "model.ckpt")


def test_show_prints_what_is_there(tmp_path, capsys):
    prefix = _copy(SINGLE.checkpoint, tmp_path / "model.ckpt-20")
    assert checkpoint_command.main(["show", prefix]) == 0
    assert "not told by any shape" in capsys.readouterr().out
    SINGLE.config.save(str(tmp_path))
    assert checkpoint_command.main(["show", str(tmp_path)]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["recursions", "4"] in lines and ["scales", "x4"] in lines
    assert ["global_step", "not", "saved"] in lines and ["optimizer", "Adam"] in lines
    assert ["generator/last_conv/conv2d/kernel", "3x3x8x3", "216"] in lines
    assert lines[-1] == ["parameters", "6,867"]


def test_command_ends_with_one_line_for_a_mistake(root, tmp_path):
    missing = str(tmp_path / "none")
    done = subprocess.run(
        [sys.executable, "-m", "bsrn_estimator.checkpoints", "show", missing],
        cwd=str(root),
        capture_output=True,
        text=True,
    )
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert done.returncode == 2 and len(errors) == 1 and missing in errors[0]
    assert "Traceback" not in done.stderr and not done.stdout


def test_a_checkpoint_that_is_removed_while_it_is_read_is_chosen_again(tmp_path):
    _copy(SINGLE.checkpoint, tmp_path / "model.ckpt-10")
    tried = []

    def use(prefix):
        tried.append(os.path.basename(prefix))
        if len(tried) == 1:
            # Rotation, just before it is read.
            os.remove(prefix + ".index")
            os.remove(prefix + DATA)
            _copy(SINGLE.checkpoint, tmp_path / "model.ckpt-20")
        return contents.describe(prefix).parameters

    assert checkpoint_files.with_newest(str(tmp_path), use) == 6867
    assert tried == ["model.ckpt-10", "model.ckpt-20"]


def test_a_failure_that_has_another_cause_is_not_tried_again(tmp_path):
    _copy(SINGLE.checkpoint, tmp_path / "model.ckpt-10")
    tried = []

    def use(prefix):
        tried.append(prefix)
        raise UserError("no")

    with pytest.raises(UserError, match="no"):
        checkpoint_files.with_newest(str(tmp_path), use)
    assert len(tried) == 1
