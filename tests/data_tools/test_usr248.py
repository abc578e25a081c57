"""USR-248 from files to records: whole pictures, the contrast stretch, and what is refused."""

import json
import os

import cv2
import numpy as np
import pytest

from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.data.tiles import tiles_of
from bsrn_estimator.pictures.stretch import stretched
from data_tools import to_tfrecord
from data_tools.options import ConversionOptions
from tests.support import fabricate

_SIZE = (32, 48)


@pytest.fixture
def root(tmp_path):
    for part in ("train_val", "TEST"):
        fabricate.usr248(tmp_path / "in", [_SIZE] * 3, part=part)
    return tmp_path


def main(root, out, *arguments):
    command = ["--dataset=usr248", "--input_dir=%s" % (root / "in"), "--workers=1"]
    command += ["--output_dir=%s" % (root / out), "--patch_size=4", *arguments]
    return to_tfrecord.main(["to_tfrecord.py"] + command)


def decoded(*parts):
    return cv2.imread(os.path.join(*map(str, parts)))[:, :, ::-1]


@pytest.mark.parametrize("part, flag", [("train_val", "--split=train"), ("TEST", "--split=test")])
def test_records_hold_whole_pictures_and_the_lr_given(root, part, flag):
    assert main(root, "out", flag) == 0
    manifest = Manifest.load(str(root / "out"))
    assert (manifest.dataset, manifest.scales, manifest.records) == ("usr248", (2, 4, 8), 3)
    records = fabricate.read_back(root / "out")
    assert [r["name"] for r in records] == ["im_xb_331_", "im_xb_338_", "im_xb_345_"]
    for record in records:
        folder, name = root / "in" / part, record["name"] + ".jpg"
        np.testing.assert_array_equal(record["hr"], decoded(folder, "hr", name))
        for scale in (2, 4, 8):
            lr = decoded(folder, "lr_%dx" % scale, name)
            np.testing.assert_array_equal(record["lr_x%d" % scale], lr)


@pytest.mark.parametrize("scales", [(2,), (4,), (8,), (2, 4, 8)])
def test_a_picture_of_the_set_is_one_tile_at_any_scales(scales):
    options = ConversionOptions("usr248", "in", scales=scales).complete()
    tiles = list(tiles_of((480, 640), options.tile_size, options.overlap, scales))
    assert [tile[:4] for tile in tiles] == [(0, 0, 480, 640)]


@pytest.mark.parametrize("what", ["lr", "both"])
def test_contrast_stretch(root, what, capsys):
    assert main(root, "out", "--stretch=" + what) == 0
    assert ", contrast stretched: %s, " % what in capsys.readouterr().out
    folder = root / "in" / "train_val"
    for record in fabricate.read_back(root / "out"):
        name = record["name"] + ".jpg"
        hr = decoded(folder, "hr", name)
        np.testing.assert_array_equal(record["hr"], stretched(hr) if what == "both" else hr)
        lr = decoded(folder, "lr_8x", name)
        np.testing.assert_array_equal(record["lr_x8"], stretched(lr))
        assert not np.array_equal(lr, record["lr_x8"])
    assert main(root, "out") == 2
    assert "converted with --stretch=%s, not nothing" % what in capsys.readouterr().err


def test_without_a_stretch_the_manifest_is_as_it_was(root):
    assert main(root, "out") == 0
    assert "stretch" not in json.loads((root / "out" / "manifest.json").read_text())


def test_an_lr_picture_that_does_not_fit(root, capsys):
    fabricate.save(fabricate.picture(16, 20, 0), root, "in/train_val/lr_2x/im_xb_338_.jpg")
    assert main(root, "out") == 2
    error = capsys.readouterr().err
    assert "lr_2x/im_xb_338_.jpg is 20x16, but the LR picture of scale 2 of a picture of " in error
    assert not (root / "out").exists()
    assert main(root, "out", "--scales=4,8") == 0


def test_scale_3_is_not_there(root, capsys):
    assert main(root, "out", "--scales=2,3,4") == 2
    assert "train_val/lr_3x is missing" in capsys.readouterr().err
