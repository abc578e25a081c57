"""A run of SRDRM: what batch norm adds to checkpoints, to their averages and to going on."""

import json
import subprocess
import sys

import numpy as np
import pytest

from bsrn_estimator import flags
from bsrn_estimator.checkpoints import contents, keras_file, restoring
from bsrn_estimator.compat import tf
from bsrn_estimator.networks import batch_norm
from bsrn_estimator.networks.srdrm import Srdrm
from tests.support import in_process, tiny

DECAY = 0.5
FLAGS = [
    "--network=srdrm",
    "--mode=train",
    "--device=cpu",
    "--threads=1",
    "--batch_size=2",
    "--patch_size=5",
    "--save_checkpoints_steps=1",
    "--keep_checkpoint_max=0",
    "--ema_decay=%g" % DECAY,
]
MEAN = "srdrm/block_1/second/batch_norm/moving_mean"
AVERAGE = "/ExponentialMovingAverage"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "records"
    return tiny.write_records(folder, "training", [(41, 50), (37, 45)], scales=(2,))


@pytest.fixture(scope="module")
def train(data):
    """Trains in a folder; returns the exit status."""

    def run(folder, *more):
        return in_process.run(FLAGS + ["--data_dir=" + data, "--model_dir=%s" % folder, *more])

    yield run
    in_process.reset()


@pytest.fixture(scope="module")
def whole(train, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    assert train(folder, "--train_steps=3") == 0
    return folder


def values(folder, step):
    reader = tf.train.load_checkpoint(str(folder / ("model.ckpt-%d" % step)))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def test_goes_on_equal_to_the_bit(whole, train, tmp_path):
    for step in (1, 3):
        assert train(tmp_path, "--train_steps=%d" % step) == 0
    expected, found = values(whole, 3), values(tmp_path, 3)
    assert set(found) == set(expected) and MEAN in found
    for name in expected:
        assert found[name].tobytes() == expected[name].tobytes(), name
    assert not np.array_equal(expected[MEAN], values(whole, 2)[MEAN])


def test_has_the_optimizer_of_the_authors_unless_told_otherwise(whole, train, tmp_path):
    saved = json.loads((whole / "config.json").read_text())
    expected = {"network": "srdrm", "scales": [2], "output_kernel": 5, "adam_beta1": 0.5}
    expected.update(learning_rate=2e-4, learning_rate_decay=1.0, adam_epsilon=1e-7, clip_norm=0.0)
    assert {name: saved[name] for name in expected} == expected
    assert values(whole, 3)["beta1_power"] == pytest.approx(0.5**4)
    assert train(tmp_path, "--train_steps=1", "--adam_beta1=0.9", "--learning_rate=1e-4") == 0
    saved = json.loads((tmp_path / "config.json").read_text())
    assert (saved["adam_beta1"], saved["learning_rate"], saved["clip_norm"]) == (0.9, 1e-4, 0.0)


def test_averages_go_with_the_weights_into_the_average(whole):
    shadow = values(whole, 0)[MEAN]
    for step in (1, 2, 3):
        decay = min(DECAY, (1.0 + step) / (10.0 + step))
        saved = values(whole, step)
        shadow = decay * shadow + (1 - decay) * saved[MEAN]
        np.testing.assert_allclose(saved[MEAN + AVERAGE], shadow, rtol=1e-5, atol=1e-7)
    description = contents.describe(str(whole / "model.ckpt-3"))
    assert description.is_averaged and description.has_optimizer
    assert description.parameters == Srdrm().parameters()
    assert not any("moving_" in name and "Adam" in name for name in saved)


def test_the_network_that_is_used_has_the_averages(whole):
    prefix = str(whole / "model.ckpt-3")
    saved = values(whole, 3)
    with tf.Graph().as_default(), tf.Session() as session:
        Srdrm().results(tf.zeros([1, 3, 3, 3]), 2)
        restoring.restorer(prefix, Srdrm())(session)
        for variable in batch_norm.variables():
            name = variable.op.name
            assert session.run(variable).tobytes() == saved[name + AVERAGE].tobytes(), name
    with tf.Graph().as_default(), tf.Session() as session:
        Srdrm().results(tf.zeros([1, 3, 3, 3]), 2)
        tf.train.get_or_create_global_step()
        scaffold = restoring.averages_scaffold().finalize()
        scaffold.saver.restore(session, prefix)
        (mean,) = [v for v in batch_norm.variables() if v.op.name == MEAN]
        assert session.run(mean).tobytes() == saved[MEAN + AVERAGE].tobytes()


def test_first_weights_of_a_file_of_keras(whole, train, tmp_path):
    saved = values(whole, 3)
    weights = {name: saved[name] for name in Srdrm().weight_shapes()}
    path = str(tmp_path / "weights.h5")
    keras_file.write(path, Srdrm(), weights)
    folder = tmp_path / "run"
    assert train(folder, "--train_steps=1", "--checkpoint=" + path) == 0
    first = values(folder, 0)
    for name, value in weights.items():
        assert first[name].tobytes() == value.tobytes(), name
        assert first[name + AVERAGE].tobytes() == value.tobytes(), name
    assert not first["srdrm/last_conv/kernel/Adam"].any()


def test_a_number_that_is_not_finite_in_an_average_is_damage(whole, tmp_path):
    from bsrn_estimator.checkpoints import files, tensors

    spoilt = values(whole, 3)
    spoilt[MEAN] = spoilt[MEAN].copy()
    spoilt[MEAN][3] = np.inf
    tensors.save(str(tmp_path / "model.ckpt-3"), spoilt)
    assert files.damage(str(tmp_path / "model.ckpt-3")) == MEAN + " is not finite"


@pytest.mark.parametrize(
    "given, sentence",
    [
        (["--scales=2,4"], "has one scale, 2, 4 or 8, not 2,4"),
        (["--scales=3"], "has one scale, 2, 4 or 8, not 3"),
        (["--output_kernel=7"], "--output_kernel must be 5 or 9, not 7"),
        (["--recursions=4"], "--recursions is of --network=bsrn; leave it out"),
        (["--network=bsrn", "--output_kernel=9"], "--output_kernel is of --network=srdrm"),
        (["--adam_beta1=1"], "--adam_beta1 must be below 1, not 1"),
    ],
)
def test_refuses(train, tmp_path, capsys, given, sentence):
    assert train(tmp_path, *given) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "config.json").exists()


def test_by_the_command_itself(data, tmp_path):
    command = [sys.executable, "-W", "ignore", "-m", "bsrn_estimator.main"] + FLAGS
    command += ["--data_dir=" + data, "--model_dir=%s" % tmp_path, "--train_steps=1", "--scales=2"]
    done = subprocess.run(command, capture_output=True, timeout=600)
    assert done.returncode == 0, done.stderr.decode()
    assert contents.network_of(str(tmp_path / "model.ckpt-1")) == Srdrm()


def test_help_tells_the_defaults_of_the_family():
    flags.define()
    shown = {flag.name: flag.default for _, found in flags.shown("train") for flag in found}
    assert shown["learning_rate"].startswith("0.0001; srdrm 0.0002")
    assert shown["scales"].startswith("2,3,4; srdrm 2")
    assert shown["batch_size"] == "8"
