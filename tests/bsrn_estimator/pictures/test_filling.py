"""Colours under full transparency go on from what is visible."""

import numpy as np
import pytest

from bsrn_estimator.pictures.filling import filled


def _noise(*shape, dtype=np.uint8, seed=5):
    return np.random.RandomState(seed).randint(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (37, 1), (33, 50), (64, 64)])
@pytest.mark.parametrize("channels", [1, 3])
def test_visible_pixels_stay_and_one_colour_goes_everywhere(dtype, shape, channels):
    colour = _noise(channels, dtype=dtype)
    visible = _noise(*shape) > 200
    visible[0, 0] = True
    colours = _noise(*shape, channels, dtype=dtype, seed=6)
    colours[visible] = colour
    result = filled(colours, visible)
    assert result.dtype == dtype and result.shape == colours.shape
    np.testing.assert_array_equal(result, np.broadcast_to(colour, colours.shape))


def test_colours_come_from_near_by():
    colours = np.zeros((40, 60, 3), np.uint8)
    colours[:, :10], colours[:, 50:] = (200, 10, 30), (10, 100, 250)
    visible = np.zeros((40, 60), bool)
    visible[:, :10] = visible[:, 50:] = True
    result = filled(colours, visible).astype(int)
    np.testing.assert_array_equal(result[visible], colours[visible])
    assert np.abs(result[:, 10:13] - (200, 10, 30)).max() < 30
    assert np.abs(result[:, 47:50] - (10, 100, 250)).max() < 30
    # Between, nothing is outside what is visible.
    assert (result >= (10, 10, 30)).all() and (result <= (200, 100, 250)).all()


def test_all_or_nothing_visible():
    colours = _noise(6, 7, 3)
    for visible in (np.ones((6, 7), bool), np.zeros((6, 7), bool)):
        np.testing.assert_array_equal(filled(colours, visible), colours)
