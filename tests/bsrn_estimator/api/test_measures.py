"""The measures for programs: golden figures, scikit-image, kinds of pictures, refusals."""

import fractions
import json
import math
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

import bsrn_estimator as bsrn
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation.uiqm import uiqm as uiqm_of_uint8
from bsrn_estimator.pictures import decoding

RNG = np.random.RandomState(3)
HR = np.clip(RNG.rand(9, 11, 3).repeat(4, 0).repeat(4, 1) * 255, 0, 255).astype(np.uint8)
RESULT = np.clip(HR.astype(int) + RNG.randint(-12, 13, HR.shape), 0, 255).astype(np.uint8)


def y_of(rgb):
    """Y of BT.601, studio range: the formula of the recommendation, written out again."""
    return 16 + rgb.astype(np.float64) @ (np.array([65.481, 128.553, 24.966]) / 255)


def test_psnr_is_that_of_scikit_image_on_y_inside_of_the_border():
    inner = (slice(3, -3), slice(3, -3))
    expected = peak_signal_noise_ratio(y_of(HR)[inner], y_of(RESULT)[inner], data_range=255)
    assert bsrn.psnr(HR, RESULT, 3) == pytest.approx(expected, rel=1e-12)
    rgb = peak_signal_noise_ratio(HR, RESULT, data_range=255)
    assert bsrn.psnr(HR, RESULT, 3, shave=0, channels="rgb") == pytest.approx(rgb, rel=1e-12)


def test_ssim_is_that_of_scikit_image_where_the_window_fits():
    inner = (slice(2, -2), slice(2, -2))
    _, places = structural_similarity(
        y_of(HR)[inner],
        y_of(RESULT)[inner],
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        full=True,
    )
    expected = places[5:-5, 5:-5].mean()
    assert bsrn.ssim(HR, RESULT, 2) == pytest.approx(expected, rel=1e-9)
    assert bsrn.ssim(HR, RESULT, 5, shave=2) == bsrn.ssim(HR, RESULT, 2)


def test_of_set5_they_are_golden(shared_dir, root):
    golden = json.loads((root / "tests/data/bicubic_metrics.json").read_text())["Set5"]["x4"]
    name, expected = sorted(golden["images"].items())[0]
    folder = shared_dir / "data/Set5"
    hr = decoding.read_rgb(folder / ("HR/%s.png" % name))
    lr = decoding.read_rgb(folder / ("LR_bicubic/X4/%sx4.png" % name))
    result = bsrn.imresize(lr, 4)
    assert bsrn.psnr(hr, result, 4) == pytest.approx(expected["psnr_y"], abs=1e-6)
    assert bsrn.ssim(hr, result, 4) == pytest.approx(expected["ssim_y"], abs=1e-6)
    # LR of Set5 is MATLAB's.
    whole = hr[: hr.shape[0] // 4 * 4, : hr.shape[1] // 4 * 4]
    assert (bsrn.imresize(whole, 1 / 4) == lr).all()


def with_alpha(picture):
    return np.concatenate([picture, np.full_like(picture[..., :1], 7)], axis=2)


@pytest.mark.parametrize(
    "form",
    [
        Image.fromarray,
        lambda picture: Image.fromarray(with_alpha(picture)),
        with_alpha,
        lambda picture: picture.astype(np.uint16) * 257,
        lambda picture: picture / 255.0,
        lambda picture: (picture / 255.0).astype(np.float32),
        lambda picture: np.asfortranarray(picture),
    ],
    ids=["Pillow", "RGBA", "alpha", "uint16", "float64", "float32", "Fortran"],
)
def test_every_kind_of_picture_gives_the_same(form):
    assert bsrn.psnr(form(HR), RESULT, 2) == bsrn.psnr(HR, form(RESULT), 2)
    assert bsrn.psnr(form(HR), form(RESULT), 2) == bsrn.psnr(HR, RESULT, 2)
    assert bsrn.ssim(form(HR), form(RESULT), 2) == bsrn.ssim(HR, RESULT, 2)
    assert bsrn.uiqm(form(HR)) == uiqm_of_uint8(HR)


@pytest.mark.parametrize(
    "form",
    [
        Image.fromarray,
        lambda grey: grey[..., np.newaxis],
        lambda grey: Image.fromarray(grey.astype(np.uint16) * 257),
        lambda grey: Image.fromarray(np.stack([grey, grey | 1], axis=2)),
    ],
    ids=["L", "one channel", "I;16", "LA"],
)
def test_grey_is_compared_as_it_is_unless_told_otherwise(form):
    hr, result = HR[..., 0], RESULT[..., 0]
    plain = peak_signal_noise_ratio(hr[2:-2, 2:-2], result[2:-2, 2:-2], data_range=255)
    assert bsrn.psnr(form(hr), form(result), 2) == pytest.approx(plain, rel=1e-12)
    studio = bsrn.psnr(form(hr), form(result), 2, grey="studio")
    assert studio - plain == pytest.approx(20 * math.log10(255 / 219), abs=1e-9)


def test_a_file_is_what_it_holds(tmp_path):
    Image.fromarray(HR).save(str(tmp_path / "hr.png"))
    assert bsrn.psnr(tmp_path / "hr.png", RESULT, 2) == bsrn.psnr(HR, RESULT, 2)
    assert bsrn.uiqm(str(tmp_path / "hr.png")) == uiqm_of_uint8(HR)


def test_black_and_white_and_palettes_are_what_they_show():
    bits = Image.fromarray(HR[..., 0]).convert("1")
    assert bsrn.psnr(bits, np.asarray(bits.convert("L")), 2) == math.inf
    palette = Image.fromarray(HR).convert("P")
    assert bsrn.psnr(palette, np.asarray(palette.convert("RGB")), 2) == math.inf


def test_uiqm_of_grey_is_that_of_three_equal_channels():
    assert bsrn.uiqm(HR[..., 0]) == uiqm_of_uint8(np.repeat(HR[..., :1], 3, axis=2))
    assert bsrn.uiqm(RESULT, blue_weight=0.144) == uiqm_of_uint8(RESULT, 0.144)
    assert bsrn.uiqm(RESULT, blue_weight=0.144) != bsrn.uiqm(RESULT)


@pytest.mark.parametrize(
    "picture",
    [HR, HR[..., 0], with_alpha(HR), HR.astype(np.uint16) * 257, HR.astype(np.float32), HR / 255.0],
    ids=["RGB", "grey", "alpha", "uint16", "float32", "float64"],
)
def test_imresize_keeps_shape_and_dtype(picture):
    for scale, size in ((2, (72, 88)), (fractions.Fraction(1, 3), (12, 15)), (0.5, (18, 22))):
        resized = bsrn.imresize(picture, scale)
        assert resized.dtype == picture.dtype
        assert resized.shape == size + picture.shape[2:]
    shape = bsrn.imresize(picture, 2, output_shape=(70, 80)).shape
    assert shape == (70, 80) + picture.shape[2:]


def test_imresize_of_16_bits_is_rounded_not_wrapped():
    deep = np.where(HR[..., 0] > 127, 65535, 0).astype(np.uint16)
    exact = bsrn.imresize(deep.astype(np.float64), 2)
    assert exact.min() < -1 and exact.max() > 65536
    assert np.abs(bsrn.imresize(deep, 2) - np.clip(exact, 0, 65535)).max() <= 0.5


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "I;16"])
def test_imresize_of_pillow_gives_pillow_of_the_same_mode(mode):
    pixels = {"L": HR[..., 0], "LA": HR[..., :2], "RGB": HR, "RGBA": with_alpha(HR)}
    image = Image.fromarray(pixels.get(mode, HR[..., 0].astype(np.uint16) * 257))
    assert image.mode == mode
    resized = bsrn.imresize(image, 1 / 2)
    assert (resized.mode, resized.size) == (mode, (22, 18))
    if mode != "LA":
        assert (np.asarray(resized) == bsrn.imresize(np.asarray(image), 1 / 2)).all()


@pytest.mark.parametrize(
    "call, message",
    [
        (
            lambda: bsrn.psnr(HR * 1.0, RESULT, 2),
            "true picture: an array of float64 holds",
        ),
        (
            lambda: bsrn.ssim(HR, RESULT * np.nan, 2),
            "the result: .* holds values from nan",
        ),
        (lambda: bsrn.psnr(HR[:20], RESULT, 2), "HR of shape .* cannot cover"),
        (lambda: bsrn.psnr("hr.png", RESULT, 2), "the true picture: hr.png"),
        (lambda: bsrn.psnr(HR[..., :2], RESULT, 2), r"an array \[36, 44, 2\] is no picture"),
        (lambda: bsrn.psnr(HR.astype(np.int64), RESULT, 2), "an array of int64 is no picture"),
        (lambda: bsrn.psnr([[1, 2]], HR, 2), "a picture of Pillow or a path, not list"),
        (lambda: bsrn.psnr(HR, RESULT, 0), "scale is a whole number of at least 1, not 0"),
        (lambda: bsrn.ssim(HR, RESULT, 2.0), "scale is a whole number of at least 1, not 2.0"),
        (lambda: bsrn.ssim(HR, RESULT, 2, shave=-1), "shave is a whole number of at least 0"),
        (lambda: bsrn.psnr(HR, RESULT, 2, channels="Y"), "channels are rgb or y, not Y"),
        (lambda: bsrn.ssim(HR, RESULT, 2, grey="full"), "grey is one of file, studio, not full"),
        (
            lambda: bsrn.uiqm(np.zeros([0, 4, 3], np.uint8)),
            r"array \[0, 4, 3\] is no picture",
        ),
        (lambda: bsrn.imresize(HR, 0), "cannot be resized by 0; give a factor above 0"),
        (lambda: bsrn.imresize(HR, math.nan), "cannot be resized by nan"),
        (lambda: bsrn.imresize(HR, math.inf), "cannot be resized by inf"),
        (lambda: bsrn.imresize(HR, 2, output_shape=(0, 3)), "height and width, at least 1"),
        (lambda: bsrn.imresize(Image.fromarray(HR).convert("P"), 2), "mode P is not resized"),
        (lambda: bsrn.imresize([[1, 2]], 2), "Pillow, not list"),
        (lambda: bsrn.imresize(HR.astype(np.int64), 2), "Pillow, not int64"),
        (lambda: bsrn.imresize(HR[0, 0], 2), r"an array \[3\] is no picture"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_none_of_it_imports_tensorflow(root):
    code = (
        "import sys, numpy, bsrn_estimator as bsrn\n"
        "picture = numpy.zeros([24, 24, 3], numpy.uint8)\n"
        "bsrn.psnr(picture, picture, 2), bsrn.ssim(picture, picture, 2)\n"
        "bsrn.uiqm(picture), bsrn.imresize(picture, 2)\n"
        "assert not {'tensorflow', 'bsrn_estimator.compat'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=str(root), check=True)
