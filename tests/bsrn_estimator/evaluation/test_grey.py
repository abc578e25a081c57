"""Y of grey pictures: by file and of studio range, in numpy, the graph, evaluate and predict."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import structural_similarity

from bsrn_estimator.compat import tf
from bsrn_estimator.evaluation import graph_metrics, metrics
from bsrn_estimator.pictures.imresize import enlarge, shrink
from data_tools import to_tfrecord
from tests.support import fabricate, in_process

SCALE = 3
# Of other sizes than multiples of the scale.
GREY = fabricate.picture(62, 49, 3)[..., 0]
PICTURES = {
    "colour": fabricate.picture(41, 56, 2),
    "one": GREY,
    "three": np.stack([GREY] * 3, axis=-1),
}


def basicsr_psnr(hr, picture, shave):
    """PSNR as BasicSR computes it with test_y_channel, single precision where it is: uint8 RGB.

    basicsr/metrics/psnr_ssim.py and basicsr/utils/color_util.py of version 1.4.2.
    """

    def to_y(rgb):
        bgr = rgb[shave:-shave, shave:-shave, ::-1].astype(np.float32) / 255.0
        y = np.dot(bgr, [24.966, 128.553, 65.481]) + 16.0
        return ((y / 255.0).astype(np.float32) * 255.0).astype(np.float64)

    mse = np.mean((to_y(hr) - to_y(picture)) ** 2)
    return 10.0 * np.log10(255.0 * 255.0 / mse)


def plain_psnr(hr, picture, shave):
    """PSNR of the values of one channel, as MATLAB's scripts compute it of a grey file."""
    difference = (hr.astype(float) - picture)[shave:-shave, shave:-shave]
    return 10 * math.log10(255**2 / np.mean(difference**2))


def ssim(hr, picture, shave):
    """Of two luma maps, by scikit-image."""
    inner = [x.astype(float)[shave:-shave, shave:-shave] for x in (hr, picture)]
    kind = dict(gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255)
    _, places = structural_similarity(*inner, full=True, **kind)
    return places[5:-5, 5:-5].mean()


def studio(rgb):
    return 16 + rgb.astype(float) @ np.array([65.481, 128.553, 24.966]) / 255


def as_rgb(pixels):
    return pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1)


def by_hand(hr, picture, rule):
    """(PSNR, SSIM) of a picture under a rule; its HR file decides where the rule says so."""
    hr = hr[: picture.shape[0], : picture.shape[1]]
    if rule == "file" and hr.ndim == 2:
        return plain_psnr(hr, picture, SCALE), ssim(hr, picture, SCALE)
    hr, picture = as_rgb(hr), as_rgb(picture)
    return basicsr_psnr(hr, picture, SCALE), ssim(studio(hr), studio(picture), SCALE)


@pytest.mark.parametrize("rule", ["file", "studio"])
@pytest.mark.parametrize("name", sorted(PICTURES))
@pytest.mark.parametrize("amount", [8, 30])
def test_numpy_gives_what_the_rule_says(rule, name, amount):
    hr = PICTURES[name]
    shape = hr.shape if name == "colour" else hr.shape[:2] + (1,) * (hr.ndim - 2)
    noise = np.random.RandomState(amount).randint(-amount, amount + 1, shape)
    picture = np.clip(hr + noise, 0, 255).astype(np.uint8)
    psnr, similarity = by_hand(hr, picture, rule)
    found = metrics.compare(hr, picture, SCALE, rule)
    assert found["psnr_y"] == pytest.approx(psnr, abs=1e-6)
    assert found["ssim_y"] == pytest.approx(similarity, abs=1e-9)
    # A channel more of the result changes nothing where all three are equal.
    assert metrics.compare(hr, as_rgb(picture), SCALE, rule) == pytest.approx(found, rel=1e-12)


def test_the_rules_differ_by_the_range():
    picture = np.clip(GREY + 7.0, 0, 255).astype(np.uint8)
    by_file, of_studio = (metrics.psnr(GREY, picture, grey=rule) for rule in ("file", "studio"))
    assert of_studio - by_file == pytest.approx(20 * math.log10(255 / 219), abs=1e-9)


def test_a_coloured_result_for_a_grey_file_is_measured_on_its_luma():
    picture = PICTURES["three"] + np.array([0, 1, 2], np.uint8) * (PICTURES["three"] < 200)
    luma = picture @ np.array([0.299, 0.587, 0.114])
    assert metrics.psnr(GREY, picture, 2) == pytest.approx(plain_psnr(GREY, luma, 2), abs=1e-9)


def test_there_is_no_third_rule():
    with pytest.raises(ValueError, match="grey is one of file, studio, not full"):
        metrics.compare(GREY, GREY, 0, "full")


def test_what_is_stored_of_a_result_follows_the_file():
    result = np.random.RandomState(0).uniform(-9, 264, [5, 7, 3]).astype(np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        one, three = session.run(
            [
                graph_metrics.as_stored(tf.constant(result), tf.constant(one))
                for one in (True, False)
            ]
        )
    np.testing.assert_array_equal(three, np.clip(np.rint(result), 0, 255))
    luma = np.clip(np.rint(result @ np.array([0.299, 0.587, 0.114])), 0, 255)
    np.testing.assert_array_equal(one, np.stack([luma] * 3, axis=-1))


# The commands.


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures in the layout of a benchmark, and their records in `records`."""
    root = tmp_path_factory.mktemp("grey")
    for name, hr in PICTURES.items():
        fabricate.save(hr, root, "set/HR", name + ".png")
        small = "%sx%d.png" % (name, SCALE)
        fabricate.save(shrink(hr, SCALE), root, "set/LR_bicubic/X%d" % SCALE, small)
    arguments = ["--dataset=benchmark", "--scales=%d" % SCALE]
    arguments += ["--input_dir=%s" % (root / "set"), "--output_dir=%s" % (root / "records")]
    assert to_tfrecord.main(["to_tfrecord"] + arguments) == 0
    return root


def evaluated(folder, rule):
    """metrics.json of an evaluation of the network that comes with the project; in this process."""
    arguments = ["--mode=evaluate", "--checkpoint=pretrained", "--scales=%d" % SCALE]
    arguments += ["--eval_data_dir=%s" % (folder / "records"), "--save_pictures"]
    arguments += ["--model_dir=%s" % (folder / "run"), "--grey=%s" % rule]
    try:
        assert in_process.run(arguments) == 0
    finally:
        in_process.reset()
    name = "records-x3" + ("" if rule == "file" else "-studio")
    (path,) = (folder / "run").glob("evaluation/*/%s/metrics.json" % name)
    return json.loads(path.read_text()), path.parent


@pytest.fixture(scope="module")
def evaluations(folder):
    return {rule: evaluated(folder, rule) for rule in ("file", "studio")}


@pytest.mark.parametrize("rule", ["file", "studio"])
def test_evaluate_gives_what_the_rule_says(evaluations, rule):
    content, place = evaluations[rule]
    assert content["grey"] == rule
    images = content["scales"][str(SCALE)]["images"]
    assert sorted(images) == sorted(PICTURES)
    for name, hr in PICTURES.items():
        saved = np.asarray(
            Image.open(str(place / "pictures/ensemble" / ("x%d" % SCALE) / (name + ".png")))
        )
        # The result of a file of one channel has one.
        assert saved.ndim == hr.ndim
        bicubic = enlarge(shrink(hr, SCALE), SCALE)
        for picture, prefix in ((saved, ""), (bicubic, "bicubic_")):
            psnr, similarity = by_hand(hr, picture, rule)
            assert images[name][prefix + "psnr_y"] == pytest.approx(psnr, abs=2e-6)
            assert images[name][prefix + "ssim_y"] == pytest.approx(similarity, abs=1e-5)


def test_the_rule_changes_figures_of_grey_files_alone(evaluations):
    of_file, of_studio = (
        evaluations[rule][0]["scales"][str(SCALE)]["images"] for rule in ("file", "studio")
    )
    for name in ("colour", "three"):
        assert of_file[name] == of_studio[name]
    gap = of_studio["one"]["psnr_y"] - of_file["one"]["psnr_y"]
    assert gap == pytest.approx(20 * math.log10(255 / 219), abs=1e-4)
    assert of_file["one"]["psnr_rgb"] == of_studio["one"]["psnr_rgb"]
    assert of_file["one"]["psnr_rgb"] == pytest.approx(of_file["one"]["psnr_y"], abs=1e-4)


@pytest.mark.parametrize("rule", ["file", "studio"])
def test_predict_gives_what_evaluate_gives(root, folder, evaluations, tmp_path, rule):
    """By the real command line."""
    arguments = ["--mode=predict", "--checkpoint=pretrained", "--scales=%d" % SCALE]
    arguments += ["--input=%s" % (folder / ("set/LR_bicubic/X%d" % SCALE)), "--grey=%s" % rule]
    arguments += ["--hr_dir=%s" % (folder / "set/HR"), "--output_dir=%s" % (tmp_path / "out")]
    arguments += ["--nomixed_precision"]
    command = [sys.executable, "-m", "bsrn_estimator.main"] + arguments
    environment = dict(os.environ, TF_CPP_MIN_LOG_LEVEL="3")
    done = subprocess.run(command, cwd=str(root), env=environment, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert ("studio range for every file" in done.stdout.decode()) == (rule == "studio")
    content = json.loads((tmp_path / "out/metrics.json").read_text())
    assert content["grey"] == rule
    images = evaluations[rule][0]["scales"][str(SCALE)]["images"]
    for name in PICTURES:
        found = content["scales"][str(SCALE)]["images"]["%sx%d.png" % (name, SCALE)]
        for figure in ("psnr_y", "psnr_rgb", "rmse_rgb", "bicubic_psnr_y"):
            assert found[figure] == pytest.approx(images[name][figure], abs=1e-4), figure
        for figure in ("ssim_y", "bicubic_ssim_y"):
            assert found[figure] == pytest.approx(images[name][figure], abs=1e-5), figure
