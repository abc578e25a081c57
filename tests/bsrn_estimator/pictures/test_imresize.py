"""MATLAB's bicubic: against pictures that MATLAB made, and against arithmetic in fractions."""

import fractions
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsrn_estimator.pictures.decoding import read_rgb
from bsrn_estimator.pictures.imresize import enlarge, imresize, shrink


@pytest.mark.parametrize(
    "hr, lr, scales",
    [
        ("Set5/HR/*.png", "Set5/LR_bicubic/X{s}/{name}x{s}.png", (2, 3, 4)),
        ("BSD100/SR/*.png", "BSD100/LR/x{s}/{name}.png", (2, 3, 4)),
        (
            "DIV2K/DIV2K_train_HR/*.png",
            "DIV2K/DIV2K_train_LR_bicubic/X{s}/{name}x{s}.png",
            (2, 3, 4),
        ),
    ],
)
def test_every_given_lr_picture_bit_for_bit(shared_dir, hr, lr, scales):
    paths = sorted((shared_dir / "data").glob(hr))
    assert len(paths) >= 5
    for path in paths:
        picture = read_rgb(path)
        for scale in scales:
            given_path = shared_dir / "data" / lr.format(s=scale, name=path.stem)
            np.testing.assert_array_equal(
                shrink(picture, scale), read_rgb(given_path), err_msg=str(given_path)
            )


def luma(picture):
    """Y of BT.601, studio range, not rounded."""
    return picture.astype(np.float64) @ (np.array([65.481, 128.553, 24.966]) / 255) + 16


def psnr(difference):
    return 10 * math.log10(255**2 / np.mean(np.square(difference)))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_enlarged_set5_has_the_golden_figures(shared_dir, scale):
    golden = json.loads((shared_dir / "reference" / "bicubic_metrics.json").read_text())
    for name, figures in golden["Set5"]["x%d" % scale]["images"].items():
        folder = shared_dir / "data" / "Set5"
        large = enlarge(
            read_rgb(folder / "LR_bicubic" / f"X{scale}" / f"{name}x{scale}.png"), scale
        )
        height, width = large.shape[:2]
        hr = read_rgb(folder / "HR" / f"{name}.png")[:height, :width]
        inner = (slice(scale, -scale), slice(scale, -scale))
        assert psnr((luma(large) - luma(hr))[inner]) == pytest.approx(figures["psnr_y"], abs=1e-6)
        rgb = (large.astype(np.float64) - hr)[4:-4, 4:-4]
        assert psnr(rgb) == pytest.approx(figures["psnr_rgb_shave4"], abs=1e-6)


def resized_in_fractions(row, factor, length):
    """One row of whole numbers, resized without any rounding error, then rounded half up."""

    def cubic(x):
        x = abs(x)
        if x <= 1:
            return fractions.Fraction(3, 2) * x**3 - fractions.Fraction(5, 2) * x**2 + 1
        if x <= 2:
            return fractions.Fraction(-1, 2) * x**3 + fractions.Fraction(5, 2) * x**2 - 4 * x + 2
        return fractions.Fraction(0)

    mirrored = list(row) + list(row)[::-1]
    stretch = min(factor, fractions.Fraction(1))
    result = []
    for index in range(length):
        centre = (index + fractions.Fraction(1, 2)) / factor - fractions.Fraction(1, 2)
        reach = int(2 / stretch) + 2
        taps = range(math.floor(centre) - reach, math.floor(centre) + reach + 1)
        weights = [cubic(stretch * (centre - tap)) for tap in taps]
        total = sum(w * int(mirrored[tap % len(mirrored)]) for w, tap in zip(weights, taps))
        value = total / sum(weights) + fractions.Fraction(1, 2)
        result.append(min(max(math.floor(value), 0), 255))
    return result


@given(
    st.lists(st.integers(0, 255), min_size=1, max_size=23),
    st.sampled_from([2, 3, 4, 6, 8]),
    st.booleans(),
)
def test_one_pass_is_exact(values, scale, up):
    factor = fractions.Fraction(scale) if up else fractions.Fraction(1, scale)
    row = np.array([values], np.uint8)
    result = imresize(row, factor, (1, math.ceil(len(values) * factor)))
    # One row mirrored is constant along the height: the first pass changes nothing.
    assert result[0].tolist() == resized_in_fractions(values, factor, result.shape[1])


def test_float_is_not_rounded_and_keeps_its_dtype():
    picture = np.random.RandomState(1).uniform(-50, 300, (13, 17, 2)).astype(np.float32)
    small = imresize(picture, 0.5)
    assert small.shape == (7, 9, 2) and small.dtype == np.float32
    column = imresize(imresize(picture[:, :1], 0.5)[:, :1].repeat(4, axis=1), 1)
    assert column.shape == (7, 4, 2)
    constant = imresize(np.full((9, 5), 77.25), fractions.Fraction(7, 3))
    np.testing.assert_allclose(constant, 77.25, rtol=1e-12)


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([2, 3, 4, 8]))
def test_shapes_and_constant_pictures(height, width, scale):
    picture = np.full((height, width, 3), 201, np.uint8)
    large = enlarge(picture, scale)
    assert large.shape == (height * scale, width * scale, 3) and (large == 201).all()
    if min(height, width) >= scale:
        small = shrink(picture, scale)
        assert small.shape == (height // scale, width // scale, 3) and (small == 201).all()


def test_grey_equals_one_channel_and_any_memory_layout():
    picture = np.random.RandomState(2).randint(0, 256, (31, 26, 3)).astype(np.uint8)
    whole = shrink(picture, 3)
    np.testing.assert_array_equal(shrink(picture[:, :, 1], 3), whole[:, :, 1])
    np.testing.assert_array_equal(shrink(np.asfortranarray(picture), 3), whole)
    turned = np.rot90(picture, 2)
    assert shrink(turned, 2).flags.c_contiguous
    assert imresize(picture, 0.4, (9, 8)).shape == (9, 8, 3)


@pytest.mark.parametrize(
    "picture, scale",
    [
        (np.zeros((0, 4), np.uint8), 2),
        (np.zeros(4, np.uint8), 2),
        (np.zeros((4, 4), np.int32), 2),
        (np.zeros((4, 4), np.uint8), 0),
    ],
)
def test_wrong_input(picture, scale):
    with pytest.raises(ValueError):
        imresize(picture, scale)
