"""Degraded LR pictures, against Pillow's JPEG, SciPy's blur and the statistics of noise."""

import io
import json
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from bsrn_estimator.errors import UserError
from bsrn_estimator.pictures.imresize import shrink
from data_tools.degradations import degrade, normalised
from tests.support import fabricate, tiny

PICTURE = tiny.picture(3, 37, 53)


def pillow(picture, quality):
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=quality, subsampling=2)
    return np.asarray(Image.open(file))


def test_words_become_one_text_in_the_order_of_a_camera():
    assert normalised([]) == normalised([""]) == ""
    assert normalised(["jpeg:075"]) == "jpeg:75"
    assert normalised(["jpeg:75,noise:3.50", " blur:.8"]) == "blur:0.8,noise:3.5,jpeg:75"
    assert normalised([normalised(["noise:1", "blur:1"])]) == "blur:1,noise:1"


@pytest.mark.parametrize(
    "word", ["jpeg:0", "jpeg:101", "blur:0", "blur:nan", "noise:-1", "noise:x", "75", "jpeg"]
)
def test_what_is_refused(word):
    with pytest.raises(UserError, match="--degrade") as caught:
        normalised([word])
    assert word in str(caught.value)


def test_jpeg_is_pillows():
    np.testing.assert_array_equal(degrade(PICTURE, "jpeg:60", "a"), pillow(PICTURE, 60))


@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_blur_is_that_of_scipy(sigma):
    expected = ndimage.gaussian_filter(
        PICTURE.astype(float), (sigma, sigma, 0), mode="reflect", truncate=4
    )
    blurred = degrade(PICTURE, "blur:%g" % sigma, "a")
    assert np.abs(blurred - expected).max() < 0.51


def test_noise_is_drawn_from_the_name():
    flat = np.full((101, 97, 3), 128, np.uint8)
    noise = degrade(flat, "noise:5", "a").astype(float) - 128
    assert abs(noise.mean()) < 0.2 and abs(noise.std() - np.sqrt(25 + 1 / 12)) < 0.15
    np.testing.assert_array_equal(degrade(flat, "noise:5", "a") - 128.0, noise)
    assert not np.array_equal(degrade(flat, "noise:5", "b") - 128.0, noise)
    assert degrade(flat[:1] + 127, "noise:90", "a").max() == 255


def test_the_order():
    one = degrade(degrade(degrade(PICTURE, "blur:1", "a"), "noise:4", "a"), "jpeg:50", "a")
    np.testing.assert_array_equal(degrade(PICTURE, "blur:1,noise:4,jpeg:50", "a"), one)


def command(root, *arguments):
    return subprocess.run(
        [sys.executable, "data_tools/to_tfrecord.py"] + [str(each) for each in arguments],
        cwd=str(root),
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_a_degraded_set(root, tmp_path, workers):
    fabricate.folder(tmp_path / "in", [(53, 100), (37, 41)])
    arguments = [
        "--dataset=folder",
        "--kind=evaluation",
        "--scales=2,3",
        "--input_dir=%s/in" % tmp_path,
    ]
    arguments += ["--output_dir=%s/o" % tmp_path, "--workers=%d" % workers]
    done = command(root, *arguments, "--degrade=jpeg:75,blur:0.8", "--degrade=noise:2")
    assert done.returncode == 0, done.stderr
    assert "scales 2,3, LR degraded by blur:0.8,noise:2,jpeg:75, " in done.stdout
    said = json.loads((tmp_path / "o" / "manifest.json").read_text())
    assert said["degrade"] == "blur:0.8,noise:2,jpeg:75"
    for number, record in enumerate(fabricate.read_back(tmp_path / "o")):
        hr = fabricate.picture(*[(53, 100), (37, 41)][number], number)
        np.testing.assert_array_equal(record["hr"], hr)
        for scale in (2, 3):
            name = "%s_x%d" % (record["name"], scale)
            expected = degrade(shrink(hr, scale), said["degrade"], name)
            np.testing.assert_array_equal(record["lr_x%d" % scale], expected)
    other = command(root, *arguments)
    assert other.returncode == 2
    assert "--degrade=blur:0.8,noise:2,jpeg:75, not nothing; name another" in other.stderr
