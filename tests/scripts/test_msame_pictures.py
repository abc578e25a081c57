"""Pictures through tiles of a fixed shape and back, the frozen graph in the place of the .om."""

import os
import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

from bsrn_estimator.compat import tf
from bsrn_estimator.export import frozen_graph
from bsrn_estimator.networks import bsrn_layers
from bsrn_estimator.networks.bsrn import Bsrn
from scripts import msame_pictures
from tests.support import tiny

_NETWORK = Bsrn(scales=(2, 3), conv_features=4, state_features=3, recursions=2)
_SIZE = (30, 34)
# The network looks 8 pixels far: 1 + 2 * 3 convolutions at LR size, one before and one after the
# pixels are rearranged.
_OVERLAP = 9


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    """Pictures of several sizes, a frozen graph for x3, and the results of the plain network."""
    folder = tmp_path_factory.mktemp("msame")
    (folder / "pictures" / "deep").mkdir(parents=True)
    pictures = {
        "wide.png": tiny.picture(1, 41, 90),
        "deep/exact.png": tiny.picture(2, 30, 34),
        "deep/tall.png": tiny.picture(3, 77, 35),
    }
    for name, picture in pictures.items():
        Image.fromarray(picture).save(str(folder / "pictures" / name))
    checkpoint = str(folder / "weights")
    plain = {}
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(5)
        lr = tf.placeholder(tf.float32, [1, None, None, 3])
        hr = bsrn_layers.ensemble(lr, 3, _NETWORK)
        session.run(tf.global_variables_initializer())
        tf.train.Saver().save(session, checkpoint)
        for name, picture in pictures.items():
            plain[name] = session.run(hr, {lr: picture[np.newaxis]})[0]

    def with_weights():
        session = tf.Session()
        tf.train.Saver().restore(session, checkpoint)
        return session

    frozen = str(folder / ("bsrn_x3_%dx%d.pb" % _SIZE))
    frozen_graph.write(frozen, frozen_graph.graph_def(with_weights, _NETWORK, 3, _SIZE))
    return folder, frozen, plain


def _split(setting, work_dir, *further):
    size = "--size=%d,%d" % _SIZE
    arguments = ["split", "--input=%s" % (setting[0] / "pictures"), "--work_dir=%s" % work_dir]
    return msame_pictures.main(arguments + [size, "--overlap=%d" % _OVERLAP] + list(further))


@pytest.fixture(scope="module")
def joined(setting, tmp_path_factory):
    """The folder of tiles and the folder of results, after split, simulate and join."""
    work_dir = tmp_path_factory.mktemp("work") / "tiles"
    output_dir = work_dir.parent / "upscaled"
    assert _split(setting, work_dir) == 0
    assert (
        msame_pictures.main(["simulate", "--frozen=" + setting[1], "--work_dir=%s" % work_dir]) == 0
    )
    assert (
        msame_pictures.main(["join", "--work_dir=%s" % work_dir, "--output_dir=%s" % output_dir])
        == 0
    )
    return work_dir, output_dir


def test_tiles_and_back_lose_nothing(setting, joined):
    for name, plain in setting[2].items():
        result = np.asarray(Image.open(str(joined[1] / name))).astype(np.float64)
        assert result.shape == plain.shape
        difference = np.abs(result - np.clip(np.rint(plain), 0, 255))
        assert difference.max() <= 1, name
        assert (difference > 0).mean() < 0.001


def test_what_the_tiles_hold(setting, joined):
    folder = joined[0] / "input"
    for file in os.listdir(str(folder)):
        tile = np.fromfile(str(folder / file), np.float32)
        assert tile.size == _SIZE[0] * _SIZE[1] * 3
        assert tile.min() >= 0 and 1 < tile.max() <= 255
    first = np.fromfile(str(folder / "p000002_t00000.bin"), np.float32)
    picture = np.asarray(Image.open(str(setting[0] / "pictures" / "wide.png")))
    np.testing.assert_array_equal(first.reshape(_SIZE + (3,)), picture[: _SIZE[0], : _SIZE[1]])


def test_a_picture_smaller_than_the_model_is_filled_up_and_told(tmp_path, capsys):
    picture = tiny.picture(4, 21, 34)
    Image.fromarray(picture).save(str(tmp_path / "small.png"))
    arguments = ["split", "--input=%s" % (tmp_path / "small.png"), "--size=30,34", "--overlap=9"]
    assert msame_pictures.main(arguments + ["--work_dir=%s" % (tmp_path / "work")]) == 0
    assert "smaller than the model's 30 x 34" in capsys.readouterr().err
    tile = np.fromfile(str(tmp_path / "work" / "input" / "p000000_t00000.bin"), np.float32)
    tile = tile.reshape(30, 34, 3)
    np.testing.assert_array_equal(tile[:21], picture)
    np.testing.assert_array_equal(tile[21], picture[20])


def test_what_is_wrong_is_one_sentence(setting, joined, tmp_path, capsys):
    def said(arguments):
        assert msame_pictures.main(arguments) == 2
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith("error: ")
        return error

    work_dir = tmp_path / "work"
    join = ["join", "--work_dir=%s" % work_dir, "--output_dir=%s" % (tmp_path / "out")]
    assert "run split first" in said(join)
    assert _split(setting, joined[0]) == 2
    assert "holds tiles already" in capsys.readouterr().err
    assert _split(setting, work_dir, "--overlap=15") == 2
    shutil.rmtree(str(work_dir))
    shutil.copytree(str(joined[0]), str(work_dir))
    output = work_dir / "output" / "simulated"
    (output / "p000001_t00000_output_0.bin").unlink()
    assert "p000001_t00000.bin" in said(join)
    np.zeros(7, np.float32).tofile(str(output / "p000000_t00000_output_0.bin"))
    assert "not a float32 output" in said(join)
    shutil.rmtree(str(output))
    assert "run msame" in said(join)
    frozen = ["simulate", "--work_dir=%s" % work_dir, "--frozen=%s" % (tmp_path / "none.pb")]
    assert "none.pb" in said(frozen)


def test_the_command_line_of_atc(root, setting, tmp_path):
    def atc(*arguments):
        return subprocess.run(
            ["bash", str(root / "scripts" / "atc.sh")] + list(arguments),
            capture_output=True,
            text=True,
            env=dict(os.environ, PATH="%s:%s" % (tmp_path, os.environ["PATH"])),
        )

    frozen = "--frozen=" + setting[1]
    printed = atc(frozen, "--soc=Ascend310P3")
    assert printed.returncode == 0
    assert "lr:1\\,30\\,34\\,3" in printed.stdout and "--out_nodes=hr:0" in printed.stdout
    assert "--soc_version=Ascend310P3" in printed.stdout
    assert atc(frozen, "--run").returncode == 2
    (tmp_path / "atc").write_text('#!/bin/sh\nfor a in "$@"; do echo "$a"; done\n')
    (tmp_path / "atc").chmod(0o755)
    ran = atc(frozen, "--run", "--log=info")
    assert "--input_shape=lr:1,30,34,3\n" in ran.stdout and "--log=info\n" in ran.stdout
    assert "does not end in _HEIGHTxWIDTH.pb" in _refusal(atc, tmp_path / "bsrn_x4.pb")
    assert "is not there" in atc("--frozen=%s" % (tmp_path / "none_1x1.pb")).stderr
    assert atc().returncode == 2
    assert atc("--help").stdout.startswith("Converts a frozen graph")


def _refusal(atc, path):
    path.write_text("")
    return atc("--frozen=%s" % path).stderr
