"""UIQM: by hand, against a slow second form, and on what makes a picture better or worse."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from bsrn_estimator.evaluation import uiqm
from bsrn_estimator.pictures import decoding, imresize


def flat(height, width, colour):
    return np.full([height, width, 3], colour, np.uint8)


def random_picture(height, width, seed, lowest=0, highest=255):
    state = np.random.RandomState(seed)
    return state.randint(lowest, highest + 1, [height, width, 3]).astype(np.uint8)


# By hand.


def test_colour_of_a_flat_picture():
    """red - green = 40, (red + green) / 2 - blue = 30: the mean is 50 long, nothing deviates."""
    assert uiqm.uicm(flat(12, 11, (100, 60, 50))) == pytest.approx(-0.0268 * 50)


def test_colour_of_ten_pixels():
    """red - green of 1 to 10, trimmed of one at each end: mean 5.5; yellow-blue of 0.5 to 5."""
    picture = flat(1, 10, (0, 0, 0))
    picture[0, :, 0] = [3, 1, 10, 7, 5, 2, 9, 8, 4, 6]
    mean = math.hypot(5.5, 2.75)
    deviation = math.sqrt(8.25 + 8.25 / 4)
    assert uiqm.uicm(picture) == pytest.approx(-0.0268 * mean + 0.1586 * deviation)


def test_the_mean_of_colour_leaves_out_the_extremes_but_the_variance_does_not():
    picture = flat(10, 10, (50, 50, 50))
    picture[0, :5] = (250, 0, 125)
    assert uiqm.uicm(picture) == pytest.approx(0.1586 * math.sqrt(0.05 * 250**2))


def test_a_flat_picture_has_neither_sharpness_nor_contrast():
    picture = flat(25, 33, (90, 90, 90))
    assert uiqm.uism(picture) == uiqm.uiconm(picture) == 0
    assert uiqm.uiqm(flat(25, 33, (0, 0, 0))) == 0


def test_contrast_of_two_blocks():
    """One block of 50 to 150, q = 1/2; one flat; what does not fill a block does not count."""
    picture = flat(14, 25, (100, 100, 100))
    picture[3, 4, 1], picture[5, 9, 2] = 50, 150
    picture[12, :] = 0
    picture[:, 21] = 255
    assert uiqm.uiconm(picture) == pytest.approx((0.5 * math.log(2) + 0) / 2)


def test_contrast_of_a_block_down_to_black_is_nothing():
    """q = 1, whose logarithm is 0: so the measure is defined."""
    picture = flat(10, 10, (200, 10, 10))
    picture[0, 0] = 0
    assert uiqm.uiconm(picture) == 0


def ramp(slope):
    """Grey rising by `slope` a column from 20; Sobel is the same within, half at both ends."""
    return np.broadcast_to((20 + slope * np.arange(20))[None, :, None], [10, 20, 3]).astype("u1")


def test_sharpness_of_a_ramp():
    """Edges 255 within and 127.5 at the first and the last column, times the grey values."""
    first = math.log(255 * (20 + 9 * 3) / (127.5 * 20))
    second = math.log(255 * (20 + 18 * 3) / min(127.5 * (20 + 19 * 3), 255 * (20 + 10 * 3)))
    expected = (first + second) / 2 * 2
    assert uiqm.uism(ramp(3)) == pytest.approx(expected * (0.299 + 0.587 + 0.114))
    assert uiqm.uism(ramp(3), uiqm.SRDRM_BLUE_WEIGHT) == pytest.approx(expected * 1.03)


def test_the_sum_is_that_of_the_paper():
    picture = random_picture(31, 22, 1, 40, 200)
    parts = uiqm.uicm(picture), uiqm.uism(picture), uiqm.uiconm(picture)
    assert uiqm.uiqm(picture) == pytest.approx(np.dot([0.0282, 0.2953, 3.5753], parts))


# A second form, pixel by pixel.


def slow_blocks(values):
    for top in range(0, values.shape[0] - 9, 10):
        for left in range(0, values.shape[1] - 9, 10):
            block = values[top : top + 10, left : left + 10]
            yield float(block.max()), float(block.min())


def slow_uiqm(picture):
    picture = picture.astype(np.float64)
    means, variance = [], 0
    red, green, blue = (picture[..., i].ravel() for i in range(3))
    for values in (red - green, (red + green) / 2 - blue):
        count = len(values)
        kept = sorted(values)[math.ceil(0.1 * count) : count - math.floor(0.1 * count)]
        means.append(sum(kept) / len(kept))
        variance += sum((value - means[-1]) ** 2 for value in values) / count
    colour = -0.0268 * math.hypot(*means) + 0.1586 * math.sqrt(variance)
    sharpness = 0
    for channel, weight in zip(np.moveaxis(picture, -1, 0), (0.299, 0.587, 0.114)):
        edges = np.hypot(ndimage.sobel(channel, 0), ndimage.sobel(channel, 1))
        edges *= 255 / edges.max()
        logs = [math.log(a / b) if b > 0 else 0 for a, b in slow_blocks(edges * channel)]
        sharpness += weight * 2 * sum(logs) / len(logs)
    logs = []
    for largest, smallest in slow_blocks(picture):
        quotient = (largest - smallest) / (largest + smallest) if largest else 0
        logs.append(-quotient * math.log(quotient) if quotient else 0)
    return 0.0282 * colour + 0.2953 * sharpness + 3.5753 * sum(logs) / len(logs)


@given(st.integers(10, 34), st.integers(10, 34), st.integers(0, 999), st.integers(0, 90))
def test_both_forms_agree(height, width, seed, lowest):
    picture = random_picture(height, width, seed, lowest, 160)
    assert uiqm.uiqm(picture) == pytest.approx(slow_uiqm(picture), rel=1e-9)


# What is refused or has no value.


@pytest.mark.parametrize("size", [(9, 40), (40, 9), (1, 1)])
def test_a_picture_smaller_than_a_block_has_no_value(size):
    assert math.isnan(uiqm.uiqm(random_picture(size[0], size[1], 0)))


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros([20, 20, 3]),
        np.zeros([20, 20], np.uint8),
        np.zeros([20, 20, 1], np.uint8),
        np.zeros([0, 20, 3], np.uint8),
    ],
)
def test_what_is_no_rgb_picture_is_refused(picture):
    with pytest.raises(ValueError, match="RGB pictures of uint8"):
        uiqm.uiqm(picture)


# Real underwater pictures.


def test_underwater_pictures(shared_dir):
    """HR is sharper than LR enlarged; half the colour is half of UICM; haze takes contrast."""
    folder = shared_dir / "data/USR248/HR"
    if not folder.is_dir():
        pytest.skip("no USR248 pictures on this machine")
    for path in sorted(folder.iterdir())[:4]:
        hr = decoding.read_rgb(path)
        blurred = imresize.enlarge(imresize.shrink(hr, 4), 4)
        assert math.isfinite(uiqm.uiqm(hr))
        assert uiqm.uism(hr) > uiqm.uism(blurred)
        paler = (hr + hr.mean(axis=2, keepdims=True)) / 2
        assert uiqm.uicm(np.round(paler).astype(np.uint8)) == pytest.approx(
            uiqm.uicm(hr) / 2, abs=0.05
        )
        assert uiqm.uiconm(hr // 16 + np.uint8(120)) < uiqm.uiconm(hr // 4 + np.uint8(100))
