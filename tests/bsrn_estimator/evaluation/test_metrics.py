"""PSNR, SSIM, RMSE: by hand, against scikit-image and golden figures."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from bsrn_estimator.evaluation import metrics
from bsrn_estimator.pictures import decoding, imresize
from bsrn_estimator.pictures.picture import to_uint8
from tests.bsrn_estimator.evaluation.support import noisy, photo_like

INFINITY = float("inf")


# By hand.


@pytest.mark.parametrize(
    "colour, luma",
    [
        ((0, 0, 0), 16.0),
        ((255, 255, 255), 235.0),
        ((255, 0, 0), 81.481),
        ((0, 255, 0), 144.553),
        ((0, 0, 255), 40.966),
        ((51, 102, 204), 16 + 13.0962 + 51.4212 + 19.9728),
    ],
)
def test_y_is_bt601_of_studio_range(colour, luma):
    picture = np.full([2, 3, 3], colour, np.uint8)
    assert np.allclose(metrics.y_of(picture), luma, rtol=0, atol=1e-12)


def test_y_is_not_rounded():
    assert metrics.y_of(np.full([1, 1, 3], (1, 0, 0), np.uint8))[0, 0] == 16 + 65.481 / 255


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 1)])
def test_grey_is_its_own_y_in_full_range(shape):
    picture = np.arange(35, dtype=np.uint8).reshape(shape)
    assert (metrics.y_of(picture, full_range=True) == picture.reshape(5, 7)).all()
    studio = 16 + 219 / 255 * picture.reshape(5, 7)
    assert np.allclose(metrics.y_of(picture), studio, rtol=0, atol=1e-12)


def test_rounding_takes_halves_to_even_and_clips():
    values = np.array([-3.2, 0.5, 1.5, 2.5, 2.51, 254.5, 255.5, 999.0, np.inf], np.float32)
    expected = [0, 0, 2, 2, 3, 254, 255, 255, 255]
    assert to_uint8(values).tolist() == expected


def test_an_even_difference_has_a_known_value():
    hr = photo_like(13, 17) // 2
    hr[0, 0] = (1, 2, 3)
    picture = hr + np.uint8(5)
    assert metrics.rmse(hr, picture) == pytest.approx(5)
    assert metrics.psnr(hr, picture, channels="rgb") == pytest.approx(20 * math.log10(51))
    assert metrics.rmse(hr, picture, channels="y") == pytest.approx(5 * 219 / 255)


def test_one_channel_is_measured_as_it_is():
    hr = photo_like(19, 23, channels=1)
    picture = noisy(hr, 9)
    as_one = metrics.compare(hr, picture, 2)
    assert as_one == metrics.compare(hr[..., 0], picture[..., 0], 2)
    assert as_one[metrics.PSNR_Y] == as_one[metrics.PSNR_RGB]


# Edge cases.


def test_equal_pictures_have_no_finite_psnr():
    hr = photo_like(20, 14)
    assert metrics.compare(hr, hr, 1) == {
        "psnr_y": INFINITY,
        "ssim_y": 1.0,
        "psnr_rgb": INFINITY,
        "rmse_rgb": 0.0,
    }


@pytest.mark.parametrize(
    "size, shave, has_psnr, has_ssim",
    [
        ((11, 40), 0, True, True),
        ((10, 40), 0, True, False),
        ((40, 15), 2, True, True),
        ((40, 14), 2, True, False),
        ((9, 40), 4, True, False),
        ((8, 40), 4, False, False),
        ((7, 40), 4, False, False),
        ((3, 3), 1000, False, False),
    ],
)
def test_what_is_too_small_has_no_value(size, shave, has_psnr, has_ssim):
    hr = photo_like(*size)
    values = metrics.compare(hr, noisy(hr, 20), shave)
    for name in ("psnr_y", "psnr_rgb", "rmse_rgb"):
        assert math.isfinite(values[name]) == has_psnr
        assert math.isnan(values[name]) != has_psnr
    assert math.isnan(values["ssim_y"]) != has_ssim


def test_hr_is_cropped_to_the_result():
    hr = photo_like(31, 29)
    picture = noisy(hr[:30, :27], 12)
    assert metrics.compare(hr, picture, 3) == metrics.compare(hr[:30, :27], picture, 3)


def test_the_border_does_not_count():
    hr = photo_like(31, 29)
    picture = noisy(hr, 12)
    changed = picture.copy()
    changed[:3] = changed[-3:] = 0
    changed[:, :3] = changed[:, -3:] = 0
    assert metrics.compare(hr, picture, 3) == metrics.compare(hr, changed, 3)
    assert metrics.psnr(hr, picture, 2) != metrics.psnr(hr, changed, 2)


@pytest.mark.parametrize(
    "hr, picture, shave, message",
    [
        (np.zeros([20, 20, 3]), np.zeros([20, 20, 3], np.uint8), 0, "uint8 pictures, not float64"),
        (np.zeros([20, 20, 3], np.uint8), np.ones([20, 20, 3], np.float32), 0, "not float32"),
        (np.zeros([20, 19, 3], np.uint8), np.zeros([20, 20, 3], np.uint8), 0, "cannot cover"),
        (np.zeros([20, 20, 4], np.uint8), np.zeros([20, 20, 4], np.uint8), 0, "1 or 3 channels"),
        (np.zeros([1, 2, 2, 3], np.uint8), np.zeros([1, 2, 2, 3], np.uint8), 0, "1 or 3 channels"),
        (np.zeros([20, 20, 3], np.uint8), np.zeros([20, 20, 3], np.uint8), -1, "at least 0"),
    ],
)
def test_what_is_no_pair_of_pictures_is_refused(hr, picture, shave, message):
    for metric in (metrics.psnr, metrics.ssim, metrics.rmse):
        with pytest.raises(ValueError, match=message):
            metric(hr, picture, shave)


def test_unknown_channels_are_refused():
    with pytest.raises(ValueError, match="rgb or y, not Y"):
        metrics.psnr(photo_like(5, 5), photo_like(5, 5), channels="Y")


def test_the_mean_leaves_out_what_is_not_finite():
    assert metrics.mean_of_finite([30.0, INFINITY, float("nan"), None, 20.0]) == 25.0
    assert math.isnan(metrics.mean_of_finite([INFINITY, None]))


# Against another implementation.


def skimage_ssim(hr, picture):
    _, full = structural_similarity(
        hr,
        picture,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        full=True,
    )
    return full[5:-5, 5:-5].mean()


@pytest.mark.parametrize("size, shave", [((11, 11), 0), ((37, 53), 0), ((53, 37), 4)])
@pytest.mark.parametrize("amount", [2, 60])
def test_ssim_is_that_of_scikit_image(size, shave, amount):
    hr = photo_like(*size)
    picture = noisy(hr, amount)
    inner = (slice(shave, size[0] - shave), slice(shave, size[1] - shave))
    expected = skimage_ssim(metrics.y_of(hr)[inner], metrics.y_of(picture)[inner])
    assert metrics.ssim(hr, picture, shave) == pytest.approx(expected, rel=1e-9)


# Properties.

sizes = st.tuples(st.integers(1, 29), st.integers(1, 29))


@given(sizes, st.integers(0, 5), st.integers(0, 9))
def test_pictures_in_0_to_1_give_the_same_value(size, shave, seed):
    hr = photo_like(*size, seed=seed)
    picture = noisy(hr, 30)
    again = to_uint8(255 * (picture / 255.0).astype(np.float32))
    expected, found = metrics.compare(hr, picture, shave), metrics.compare(hr, again, shave)
    assert np.array_equal(again, picture)
    assert all(found[name] == v or math.isnan(v) for name, v in expected.items())


@given(sizes, st.integers(0, 3), st.integers(0, 9), st.integers(0, 60))
def test_values_do_not_depend_on_order_or_orientation(size, shave, seed, amount):
    hr = photo_like(*size, seed=seed)
    picture = noisy(hr, amount)
    values = metrics.compare(hr, picture, shave)
    for a, b in [(hr[::-1], picture[::-1]), (np.rot90(hr), np.rot90(picture)), (picture, hr)]:
        other = metrics.compare(a, b, shave)
        for name, value in values.items():
            assert other[name] == pytest.approx(value, rel=1e-9, nan_ok=True)
    if values["ssim_y"] == values["ssim_y"]:
        assert -1 <= values["ssim_y"] <= 1


@given(st.integers(0, 9))
def test_more_noise_is_worse(seed):
    hr = photo_like(24, 31, seed=seed)
    levels = [metrics.compare(hr, noisy(hr, amount), 2) for amount in (3, 12, 50)]
    for name in ("psnr_y", "psnr_rgb", "ssim_y"):
        assert levels[0][name] > levels[1][name] > levels[2][name]


# Published figures.


@pytest.fixture(scope="module")
def golden(root):
    with open(str(root / "tests/data/bicubic_metrics.json")) as file:
        return json.load(file)


def bicubic(folder, scale, name):
    """(HR, LR enlarged) of a picture of Set5 or BSD100."""
    if folder.name == "Set5":
        hr, lr = "HR/%s.png" % name, "LR_bicubic/X%d/%sx%d.png" % (scale, name, scale)
    else:
        hr, lr = "SR/%s.png" % name, "LR/x%d/%s.png" % (scale, name)
    lr = decoding.read_rgb(folder / lr)
    return decoding.read_rgb(folder / hr), imresize.enlarge(lr, scale)


# PSNR and SSIM of bicubic on Set5 as papers print them.
PUBLISHED = {2: (33.66, 0.9299), 3: (30.39, 0.8682), 4: (28.42, 0.8104)}


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_on_set5_is_golden_and_near_the_published(shared_dir, golden, scale):
    values = []
    for name, expected in golden["Set5"]["x%d" % scale]["images"].items():
        hr, enlarged = bicubic(shared_dir / "data/Set5", scale, name)
        values.append(metrics.compare(hr, enlarged, scale))
        assert values[-1]["psnr_y"] == pytest.approx(expected["psnr_y"], abs=1e-6)
        assert values[-1]["ssim_y"] == pytest.approx(expected["ssim_y"], abs=1e-6)
        rgb = metrics.psnr(hr, enlarged, 4, "rgb"), metrics.rmse(hr, enlarged, 4)
        assert rgb[0] == pytest.approx(expected["psnr_rgb_shave4"], abs=1e-6)
        assert rgb[1] == pytest.approx(expected["rmse_rgb_shave4"], abs=1e-6)
    psnr, ssim = PUBLISHED[scale]
    assert metrics.mean_of_finite(v["psnr_y"] for v in values) == pytest.approx(psnr, abs=0.015)
    assert metrics.mean_of_finite(v["ssim_y"] for v in values) == pytest.approx(ssim, abs=0.001)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_bicubic_of_y_alone_is_the_published(shared_dir, scale):
    """The published PSNR to its last digit: there Y was shrunk and enlarged, rounded at the end."""
    values = []
    for path in sorted((shared_dir / "data/Set5/HR").glob("*.png")):
        hr = decoding.read_rgb(path)
        luma = metrics.y_of(hr[: hr.shape[0] // scale * scale, : hr.shape[1] // scale * scale])
        result = imresize.enlarge(imresize.shrink(luma, scale), scale)
        values.append(metrics.compare(to_uint8(luma), to_uint8(result), scale))
    psnr, ssim = PUBLISHED[scale]
    assert metrics.mean_of_finite(v["psnr_y"] for v in values) == pytest.approx(psnr, abs=0.005)
    assert metrics.mean_of_finite(v["ssim_y"] for v in values) == pytest.approx(ssim, abs=0.0003)


@pytest.mark.parametrize(
    "scale, psnr, ssim", [(2, 30.2243, 0.85067), (3, 27.6692, 0.75173), (4, 26.2754, 0.68265)]
)
def test_bicubic_on_ten_pictures_of_bsd100(shared_dir, scale, psnr, ssim):
    """Measured here; papers print the mean of all 100: 29.56/.8431, 27.21/.7385, 25.96/.6675."""
    names = sorted(path.stem for path in (shared_dir / "data/BSD100/SR").glob("*.png"))
    if len(names) != 10:
        pytest.skip("the figures are those of ten pictures, not of %d" % len(names))
    values = [
        metrics.compare(*bicubic(shared_dir / "data/BSD100", scale, name), shave=scale)
        for name in names
    ]
    assert metrics.mean_of_finite(v["psnr_y"] for v in values) == pytest.approx(psnr, abs=1e-4)
    assert metrics.mean_of_finite(v["ssim_y"] for v in values) == pytest.approx(ssim, abs=1e-5)
