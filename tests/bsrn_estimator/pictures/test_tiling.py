"""Windows: disjoint, in order, complete, of one shape, with enough context."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.pictures.tiling import cover, shape_for, tiles_of, windows, work


@hypothesis.given(size=st.integers(1, 300), kept=st.integers(1, 40), overlap=st.integers(0, 20))
def test_what_is_kept_covers_the_axis_once(size, kept, overlap):
    tile = kept + 2 * overlap
    found = windows(size, tile, overlap)
    position = 0
    for window in found:
        assert window.keep == position < window.keep_stop
        position = window.keep_stop
        assert window.stop - window.start == min(tile, size)
        # At the border of the picture a window ends with it; inside it has its context.
        assert window.keep - window.start >= overlap or window.start == window.keep == 0
        assert window.stop - window.keep_stop >= overlap or window.stop == size
        assert 0 <= window.start and window.stop <= size
    assert position == size


def test_no_more_windows_than_needed():
    assert len(windows(100, 100, 12)) == 1
    assert len(windows(101, 100, 12)) == 2
    assert len(windows(176, 100, 12)) == 2
    assert len(windows(177, 100, 12)) == 3


def test_a_window_of_margins_alone_is_refused():
    assert len(windows(24, 24, 12)) == 1
    with pytest.raises(UserError, match="larger than 24"):
        windows(25, 24, 12)


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(
    height=st.integers(1, 60),
    width=st.integers(1, 60),
    kept=st.integers(1, 12),
    overlap=st.integers(0, 6),
)
def test_no_shape_computes_fewer_pixels(height, width, kept, overlap):
    side = 2 * overlap + kept
    shape = shape_for(height, width, side, overlap)
    assert shape[0] <= height and shape[1] <= width
    assert shape[0] * shape[1] <= side**2
    least = height * width
    if height * width > side**2:
        least = min(
            work(tiles_of(height, width, (high, wide), overlap))
            for high in range(min(height, 2 * overlap + 1), height + 1)
            for wide in range(min(width, 2 * overlap + 1), width + 1)
            if high * wide <= side**2
        )
    assert work(cover(height, width, side, overlap)) == least


def test_the_work_of_common_pictures():
    """Tiles of 208 x 208 compute 1.30, 1.50 and 1.38 times these pictures."""
    for size, most in (((180, 320), 1.08), ((360, 640), 1.19), ((1080, 1920), 1.24)):
        tiles = cover(size[0], size[1], 208, 12)
        assert 1 < work(tiles) / (size[0] * size[1]) < most
        square = work(tiles_of(size[0], size[1], (208, 208), 12))
        assert square / (size[0] * size[1]) > most + 0.1


def test_a_picture_of_many_rows_takes_one_tile_where_it_fits():
    assert shape_for(4000, 10, 208, 12) == (4000, 10)
    assert shape_for(10, 4000, 208, 12) == (10, 4000)
    with pytest.raises(UserError, match="larger than 24"):
        shape_for(25, 24, 24, 12)
    assert shape_for(24, 24, 24, 12) == (24, 24)


@hypothesis.given(
    height=st.integers(1, 60), width=st.integers(1, 60), scale=st.sampled_from((2, 3, 4))
)
def test_tiles_put_a_picture_together_again(height, width, scale):
    lr = np.arange(height * width * 3).reshape(height, width, 3)
    hr = lr.repeat(scale, axis=0).repeat(scale, axis=1)
    result = np.full_like(hr, -1)
    for tile in tiles_of(height, width, (17, 23), 5):
        part = tile.cut(lr)
        assert part.shape[:2] == tile.lr_shape
        tile.place(part.repeat(scale, axis=0).repeat(scale, axis=1), result, scale)
    np.testing.assert_array_equal(result, hr)
