"""The stretch of SRDRM's loader, with values by hand from the code of SciPy 1.1."""

import numpy as np
import pytest

from bsrn_estimator.pictures.stretch import stretched


def test_ends_middle_and_halves():
    picture = np.array([[[10, 105, 200]]], np.uint8)
    # 105 is 127.5, and half a level more rounds down to 128.
    assert stretched(picture).tolist() == [[[0, 128, 255]]]
    assert stretched(picture).dtype == np.uint8
    # (57 - 10) * 255 / 190 = 63.08, (73 - 10) * 255 / 190 = 84.55
    assert stretched(np.array([10, 57, 73, 200])).tolist() == [0, 63, 85, 255]


def test_one_range_for_all_channels():
    picture = np.zeros([2, 2, 3], np.uint8)
    picture[..., 0], picture[..., 1] = 50, 100
    # 127.5 but for the rounding of the factor 2.55, which SciPy takes too.
    assert stretched(picture)[0, 0].tolist() == [127, 255, 0]


@pytest.mark.parametrize("value", [0, 7, 255])
def test_a_constant_picture_becomes_black(value):
    assert not stretched(np.full([3, 2, 3], value, np.uint8)).any()


def test_full_range_stays_and_floats_are_taken():
    full = np.arange(256).reshape(16, 16).astype(np.uint8)
    np.testing.assert_array_equal(stretched(full), full)
    np.testing.assert_array_equal(stretched(full / 255 * 2 - 1), full)
    assert stretched(np.float32([-0.5, 0, 0.25])).tolist() == [0, 170, 255]
