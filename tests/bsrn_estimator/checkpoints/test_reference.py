"""Checkpoints in the form of the reference implementation: written, and read as published."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from bsrn_estimator.checkpoints import __main__ as checkpoint_command
from bsrn_estimator.checkpoints import config_file, contents, tensors
from bsrn_estimator.compat import tf
from tests.support import checkpoints, golden

MULTI = golden.Golden("multi_scale")

# As the index of checkpoints/bsrn_c64_s64_x234.ckpt in github.com/idearibosome/tf-bsrn-sr has them:
# kernel, and the channels that it makes; the kernels are 3x3.
KERNELS = {
    "first_conv/conv2d": (3, 64),
    "residual_modules/conv2d": (128, 128),
    "residual_modules/conv2d_1": (128, 128),
    "residual_modules/conv2d_2": (128, 128),
    "upscale/x2/conv2d": (64, 256),
    "upscale/x3/conv2d": (64, 576),
    "upscale/x4/conv2d": (64, 256),
    "upscale/x4/conv2d_1": (64, 256),
    "last_conv/x2/conv2d": (64, 3),
    "last_conv/x3/conv2d": (64, 3),
    "last_conv/x4/conv2d": (64, 3),
}
TOLD = ["--recursions=16", "--recursion_frequency=1"]


def test_round_trip_through_a_saver_of_the_reference_names(tmp_path):
    out = str(tmp_path / "new" / "model.ckpt")
    assert checkpoint_command.main(["write", MULTI.checkpoint, out]) == 0
    with tf.Graph().as_default(), tf.Session() as session:
        made = {n: tf.get_variable(n, shape) for n, shape in MULTI.variables.items()}
        tf.train.Saver().restore(session, out)
        found = session.run(made)
    expected = checkpoints.values(MULTI.checkpoint)
    assert expected.keys() == checkpoints.values(out).keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    assert sorted(os.listdir(os.path.dirname(out))) == [
        "model.ckpt" + checkpoints.DATA,
        "model.ckpt.index",
    ]


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


def test_a_mix_is_the_weighted_mean(tmp_path, weights_only, capsys):
    values = checkpoints.values(weights_only)
    one, other, out = (str(tmp_path / name / "model.ckpt") for name in ("one", "other", "out"))
    for place, more in ((one, 0), (other, 1)):
        config_file.Config(MULTI.network).save(os.path.dirname(place))
        tensors.save(place, {name: value + np.float32(more) for name, value in values.items()})
    command = ["mix", out, "3:" + one, "1:" + other]
    assert checkpoint_command.main(command) == 0
    mixed = checkpoints.values(out)
    assert mixed.keys() == values.keys()
    for name, value in values.items():
        np.testing.assert_allclose(mixed[name], value + 0.25, rtol=0, atol=1e-6)
    assert contents.network_of(out) == MULTI.network
    for shares, said in (
        (["3:" + one, "1:" + other], "exists; name another place"),
        (["0:" + other, "1:" + one], "is no SHARE:PATH, such as 0.9:runs/photo"),
        (["half:" + other], "is no SHARE:PATH"),
        (["1:" + other], "of two checkpoints and more"),
        (["1:" + other, "1:pretrained"], "hold different networks"),
    ):
        place = out if "exists" in said else str(tmp_path / "new" / "model.ckpt")
        assert checkpoint_command.main(["mix", place] + shares) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_mix_loses_no_share_and_no_configuration(tmp_path, weights_only, capsys):
    values = checkpoints.values(weights_only)
    one, other, out = (str(tmp_path / name / "model.ckpt") for name in ("one", "other", "out"))
    for place, more in ((one, 0), (other, 1)):
        config_file.Config(MULTI.network).save(os.path.dirname(place))
        tensors.save(place, {name: value + np.float32(more) for name, value in values.items()})
    assert checkpoint_command.main(["mix", out, "2:" + one, "1:" + other, "1:" + one]) == 0
    for name, value in checkpoints.values(out).items():
        np.testing.assert_allclose(value, values[name] + 0.25, rtol=0, atol=1e-6)
    # Beside another network's configuration, and beside its own.
    run = tmp_path / "run"
    config_file.Config(MULTI.network.replace(recursions=3)).save(str(run))
    kept = (run / "config.json").read_text()
    mix = ["mix", str(run / "mixed.ckpt"), "1:" + one, "1:" + other]
    assert checkpoint_command.main(mix) == 2
    said = capsys.readouterr().err
    assert "error: %s has a config.json of another run; name another place" % run in said
    assert (run / "config.json").read_text() == kept and os.listdir(str(run)) == ["config.json"]
    assert checkpoint_command.main(["mix", out + "2", "1:" + one, "1:" + other]) == 0


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The prefix of a checkpoint with that index, and small random values."""
    shapes = {"beta1_power": (), "beta2_power": ()}
    for name, (read, made) in KERNELS.items():
        for part, shape in (("kernel", (3, 3, read, made)), ("bias", (made,))):
            for slot in ("", "/Adam", "/Adam_1"):
                shapes["generator/%s/%s%s" % (name, part, slot)] = shape
    assert len(shapes) == 68
    prefix = str(tmp_path_factory.mktemp("published") / "bsrn_c64_s64_x234.ckpt")
    random = np.random.RandomState(0)
    with tf.Graph().as_default(), tf.Session() as session:
        for name, shape in shapes.items():
            tf.get_variable(name, initializer=random.normal(0, 0.01, shape).astype(np.float32))
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, prefix, write_meta_graph=False)
    return prefix


def test_it_is_known_as_the_full_network(published):
    described = contents.describe(published)
    assert described.parameters == 1225225 and len(described.weights) == 22
    network = contents.network_of(published, {"recursions": 16, "recursion_frequency": 1})
    assert network.scales == (2, 3, 4)
    assert network.weight_shapes().keys() == set(described.weights)


@pytest.mark.parametrize("told", [TOLD, []])
def test_predict_uses_it_once_it_is_told_the_recursions(root, published, tmp_path, told):
    Image.new("RGB", (7, 5), (90, 80, 200)).save(str(tmp_path / "dot.png"))
    command = ["--mode=predict", "--checkpoint=" + published, "--input=dot.png", "--scales=3"]
    done = subprocess.run(
        [sys.executable, "-m", "bsrn_estimator.main"] + command + told,
        cwd=str(tmp_path),
        env=dict(os.environ, PYTHONPATH=str(root)),
        capture_output=True,
        text=True,
        timeout=240,
    )
    if told:
        assert done.returncode == 0, done.stderr
        assert Image.open(str(tmp_path / "upscaled/x3/dot.png")).size == (21, 15)
    else:
        assert done.returncode == 2 and "--recursions" in done.stderr
