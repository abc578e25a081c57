"""Predict where each picture decides which network it takes."""

import contextlib
import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from bsrn_estimator.checkpoints import AUTO, CLEAN, PHOTO, trained
from bsrn_estimator.errors import UserError
from bsrn_estimator.inference import finding, predict, sharing
from bsrn_estimator.inference.options import PredictOptions
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.pictures import imresize
from bsrn_estimator.pictures.decoding import read_rgb
from bsrn_estimator.pictures.picture import to_uint8
from tests.support import tiny

LR = tiny.picture(5, 21, 34)


@pytest.fixture(scope="module")
def upscaled():
    """From a word and the path of a picture to what that network makes of it at x2."""
    with contextlib.ExitStack() as stack:
        networks = {
            word: stack.enter_context(Upscaler(trained.find(word), scales=[2]))
            for word in (CLEAN, PHOTO)
        }
        yield lambda word, path: to_uint8(networks[word].upscale(read_rgb(str(path)), 2))


@pytest.fixture
def folder(tmp_path):
    """`in`: a PNG, a JPEG of the same name, a lossy and a lossless WebP."""
    (tmp_path / "in").mkdir()
    Image.fromarray(LR).save(str(tmp_path / "in" / "a.png"))
    Image.fromarray(LR).save(str(tmp_path / "in" / "a.jpg"), quality=60)
    Image.fromarray(LR).save(str(tmp_path / "in" / "b.webp"), quality=60)
    Image.fromarray(LR).save(str(tmp_path / "in" / "c.webp"), lossless=True)
    return tmp_path


def options(folder, **kwargs):
    values = {"input": str(folder / "in"), "output_dir": str(folder / "out"), "scales": (2,)}
    return PredictOptions(**dict(values, **kwargs))


# The results of the pictures of `folder`, and what makes them.
MADE = {"a.png": CLEAN, "a.jpg.png": PHOTO, "b.png": PHOTO, "c.png": CLEAN}
SOURCES = {"a.jpg.png": "a.jpg", "b.png": "b.webp", "c.png": "c.webp"}


def test_each_picture_takes_its_network(folder, upscaled, capsys):
    (folder / "in" / "bad.jpg").write_bytes(b"\xff\xd8\xff and no more")
    assert predict.run(options(folder)) == 1
    said = capsys.readouterr()
    first = "network: auto, clean for 2 pictures and photo for 3 pictures, run by tensorflow, "
    assert said.out.startswith(first)
    assert "bad.jpg is not a picture" in said.err
    results = {name: read_rgb(str(folder / "out" / "x2" / name)) for name in MADE}
    for name, word in MADE.items():
        source = folder / "in" / SOURCES.get(name, name)
        np.testing.assert_array_equal(results[name], upscaled(word, source))
    assert not np.array_equal(results["a.png"], upscaled(PHOTO, folder / "in" / "a.png"))
    # What is finished is known by its network.
    assert predict.run(options(folder, checkpoint=AUTO)) == 1
    assert "0 results written, 4 were finished before" in capsys.readouterr().out
    assert predict.run(options(folder, checkpoint=PHOTO)) == 1
    assert "2 in place of earlier ones, 2 were finished before" in capsys.readouterr().out


def test_figures_are_those_of_both(folder, capsys):
    (folder / "hr").mkdir()
    os.remove(str(folder / "in" / "a.jpg"))
    for name in ("a", "b", "c"):
        Image.fromarray(imresize.enlarge(LR, 2)).save(str(folder / "hr" / (name + ".png")))
    assert predict.run(options(folder, hr_dir=str(folder / "hr"))) == 0
    content = json.loads((folder / "out" / "metrics.json").read_text())
    assert content["pictures"] == 3 and content["global_step"] is None
    assert sorted(content["scales"]["2"]["images"]) == ["a.png", "b.webp", "c.webp"]


def test_a_network_that_is_not_needed_is_not_looked_for(folder, capsys):
    found = []

    def find(wanted):
        found.append(wanted.checkpoint)
        return finding.in_tensorflow(wanted)

    one = str(folder / "in" / "b.webp")
    assert predict.run(options(folder, input=one), find) == 0
    assert found == [PHOTO]
    assert "network: auto, photo for 1 picture, run by" in capsys.readouterr().out
    assert predict.run(options(folder, input=one, checkpoint=CLEAN), find) == 0
    assert found == [PHOTO, CLEAN]
    assert "checkpoints/pretrained/model.ckpt (step" in capsys.readouterr().out


def test_where_the_choice_is_open(folder):
    run = str(folder / "run")
    assert sharing.is_open(options(folder))
    assert sharing.is_open(options(folder, model_dir=run))
    assert sharing.is_open(options(folder, model_dir=run, checkpoint=AUTO))
    assert not sharing.is_open(options(folder, checkpoint=CLEAN))
    os.makedirs(run)
    assert sharing.is_open(options(folder, model_dir=run))
    os.makedirs(os.path.join(run, "evaluation"))
    assert not sharing.is_open(options(folder, model_dir=run))


def test_auto_is_no_network_for_other_commands(folder):
    (folder / AUTO).mkdir()  # a folder of that name is ./auto
    with pytest.raises(UserError, match="auto chooses by the picture, in predict and the server"):
        trained.find(AUTO)


def test_the_command(folder, root, upscaled):
    engine = "onnxruntime" if importlib.util.find_spec("onnxruntime") else "tensorflow"
    done = subprocess.run(
        [sys.executable, "-m", "bsrn_estimator.main", "--mode=predict", "--input=in", "--scales=2"]
        + ["--nomixed_precision", "--engine=" + engine],
        cwd=str(folder),
        env=dict(os.environ, PYTHONPATH=str(root)),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    words = "network: auto, clean for 2 pictures and photo for 2 pictures, run by %s, computed in "
    assert lines[0] == words % engine + "float32"
    for name, word in MADE.items():
        result = read_rgb(str(folder / "upscaled" / "x2" / name)).astype(int)
        expected = upscaled(word, folder / "in" / SOURCES.get(name, name))
        assert np.abs(result - expected).max() <= 1
