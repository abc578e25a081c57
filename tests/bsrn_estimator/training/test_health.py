"""The curves of health: what they say, that they change nothing, and the word in time."""

import json

import numpy as np
import pytest

from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.compat import tf
from bsrn_estimator.networks import probe
from bsrn_estimator.training import health
from tests.support import in_process, tiny

SHARED = [
    "--mode=train",
    "--device=cpu",
    "--threads=1",
    "--scales=2",
    "--conv_features=5",
    "--state_features=3",
    "--recursions=3",
    "--recursion_frequency=3",
    "--batch_size=2",
    "--patch_size=7",
    "--clip_norm=0",
]
BLOCK_BIAS = "generator/residual_modules/conv2d/bias"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "records"
    return tiny.write_records(folder, "training", [(61, 50), (37, 75)], scales=(2,))


@pytest.fixture
def command(data):
    def run(folder, *more):
        given = ["--data_dir=" + data, "--model_dir=%s" % folder]
        return in_process.run(SHARED + given + list(more))

    yield run
    in_process.reset()


def values_of(prefix):
    reader = tf.train.load_checkpoint(str(prefix))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def points(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_the_curves_are_what_checkpoints_and_adam_say(command, tmp_path):
    """Every step is saved; Adam's first moment tells the gradient: m1 = 0.9 m0 + 0.1 g."""
    more = ["--train_steps=4", "--save_checkpoints_steps=1", "--keep_checkpoint_max=0"]
    assert command(tmp_path, "--summary_steps=2", *more) == 0
    found = points(tmp_path)
    assert [point["step"] for point in found] == [2, 4]
    before, after = (values_of(tmp_path / ("model.ckpt-%d" % step)) for step in (3, 4))
    names = [name for name in after if name.startswith("generator/") and name + "/Adam" in after]
    assert len(names) == 12
    for name in names:
        short = name[len("generator/") :]
        moments = [values[name + "/Adam"].astype(np.float64) for values in (before, after)]
        expected = {
            "weight": after[name],
            "update": after[name] - before[name],
            "gradient": (moments[1] - 0.9 * moments[0]) / 0.1,
        }
        for kind, value in expected.items():
            norm = found[1]["health/norm/%s/%s" % (kind, short)]
            assert norm == pytest.approx(np.linalg.norm(value), rel=2e-3, abs=1e-7), (kind, name)
    layers = ["recursion_01", "recursion_02", "recursion_03", "upscale_x2/conv2d"]
    active = [name for name in found[1] if name.startswith("health/active/")]
    assert active == ["health/active/" + name for name in layers]
    assert all(0 < found[1][name] < 1 for name in active)
    assert found[1]["health/dead/recursion_01"] == 0


def test_looking_changes_no_weight(command, tmp_path):
    for steps in (1, 3, 100):
        more = ["--summary_steps=%d" % steps, "--train_steps=5"]
        assert command(tmp_path / str(steps), *more) == 0
    often, seldom, never = (
        values_of(tmp_path / name / "model.ckpt-5") for name in ("1", "3", "100")
    )
    for name, value in never.items():
        np.testing.assert_array_equal(often[name], value, err_msg=name)
        np.testing.assert_array_equal(seldom[name], value, err_msg=name)


def dead_run(command, folder):
    """A run of two steps, whose block is switched off then by its bias."""
    assert command(folder, "--train_steps=2") == 0
    prefix = str(folder / "model.ckpt-2")
    values = values_of(prefix)
    values[BLOCK_BIAS][:] = -1e6
    write(prefix, values)
    return prefix


def write(prefix, values):
    with tf.Graph().as_default(), tf.Session() as session:
        made = [tf.Variable(value, name=name) for name, value in values.items()]
        session.run(tf.global_variables_initializer())
        tf.train.Saver(made).save(session, prefix, write_meta_graph=False, write_state=False)


def test_a_layer_that_died_is_told_once(command, tmp_path, capsys):
    dead_run(command, tmp_path)
    capsys.readouterr()
    assert command(tmp_path, "--train_steps=6", "--summary_steps=1") == 0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "dead" in line]
    assert line.startswith("warning: step 3: more than a quarter of the units of a layer are dead")
    for number in (1, 2, 3):
        assert "8 of 8 in recursion_0%d" % number in line
    assert "upscale" not in line and "--block_rate=0.25" in line and "--warmup_steps" in line
    assert points(tmp_path)[-1]["health/dead/recursion_02"] == 8
    assert points(tmp_path)[-1]["health/active/recursion_02"] == 0


def test_stop_ends_with_a_checkpoint_and_a_status(command, tmp_path, capsys):
    dead_run(command, tmp_path)
    more = ["--train_steps=9", "--summary_steps=2", "--on_dead=stop"]
    assert command(tmp_path, *more) == 1
    error = capsys.readouterr().err
    assert "error: step 4: more than a quarter" in error and "Traceback" not in error
    assert error.rstrip().endswith("the last checkpoint is %s/model.ckpt-4" % tmp_path)
    assert checkpoint_files.newest_step(str(tmp_path)) == 4


def test_living_layers_do_not_stop_a_run(command, tmp_path, capsys):
    assert command(tmp_path, "--train_steps=3", "--summary_steps=1", "--on_dead=stop") == 0
    assert "dead" not in capsys.readouterr().out


@pytest.mark.parametrize("dead, dying", [(16, False), (17, True), (64, True)])
def test_a_quarter_is_not_more_than_a_quarter(dead, dying):
    assert probe.Layer(0.1, dead, 64).is_dying is dying


def test_of_several_replicas_the_mean_of_their_gradients():
    weights = {"a/kernel": np.array([3.0, 4.0], np.float32)}
    found = health.scalars({}, {"a/kernel": [1.0, 2.0]}, {"a/kernel": np.zeros(2)}, weights)
    assert found == {
        "health/norm/weight/a/kernel": 5,
        "health/norm/gradient/a/kernel": 1.5,
        "health/norm/update/a/kernel": 5,
    }
