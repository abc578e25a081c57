"""No patch position is lost, none belongs to two tiles, and every tile registers."""

import collections

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsrn_estimator import scales
from bsrn_estimator.data.tiles import (
    common_multiple,
    default_tile_size,
    least_overlap,
    patch_area,
    starts,
    tiles_along,
    tiles_of,
)

scale_sets = st.lists(st.sampled_from(scales.SUPPORTED), min_size=1, unique=True).map(
    lambda scales: tuple(sorted(scales))
)


@pytest.mark.parametrize(
    "scales, multiple", [((3,), 3), ((2, 3, 4), 12), ((4, 8), 8), ((3, 8), 24)]
)
def test_tiles_are_no_coarser_than_they_have_to_be(scales, multiple):
    assert common_multiple(scales) == multiple


@given(scale_sets, st.integers(1, 9), st.integers(1, 12), st.integers(0, 40))
def test_every_patch_position_lies_in_a_tile(scales, patch, extra, more):
    multiple = common_multiple(scales)
    overlap = least_overlap(patch, scales)
    tile_size = overlap + extra * multiple
    length = (-(-patch * max(scales) // multiple) + more) * multiple
    count, tile = tiles_along(length, tile_size, overlap, multiple)
    begins = starts(length, tile_size, overlap, multiple)
    assert all(value % multiple == 0 for value in begins + [tile])
    assert len(begins) == count and begins[0] == 0 and begins[-1] + tile == length
    assert begins == sorted(set(begins))
    # Evenly spread, and not longer than they may be.
    steps = {after - before for before, after in zip(begins, begins[1:])}
    assert not steps or max(steps) - min(steps) <= multiple
    assert tile <= tile_size * 9 // 8
    # One tile fewer would have to be longer than that.
    fewer = count - 1
    if fewer:
        longest = tile_size + tile_size // 8 // multiple * multiple
        assert fewer * longest - (fewer - 1) * overlap < length
    for scale in scales:
        for y in range(0, length - patch * scale + 1, scale):
            assert any(begin <= y and y + patch * scale <= begin + tile for begin in begins)


@pytest.mark.parametrize("patch, scales", [(48, (2, 3, 4)), (48, (4,)), (7, (2, 3)), (5, (8,))])
def test_the_overlap_is_the_least_one(patch, scales):
    multiple, overlap = common_multiple(scales), least_overlap(patch, scales)
    tile = overlap + multiple
    length = tile + 3 * multiple
    # With tiles one multiple further apart some position is lost.
    begins = range(0, length - tile + 1, 2 * multiple)
    scale = max(scales)
    lost = [
        y
        for y in range(0, length - patch * scale + 1, scale)
        if not any(b <= y and y + patch * scale <= b + tile for b in begins)
    ]
    assert lost


@given(
    scale_sets,
    st.integers(1, 4),
    st.integers(0, 3),
    st.integers(1, 3),
    st.tuples(st.integers(0, 120), st.integers(0, 120)),
)
def test_each_patch_position_belongs_to_one_tile(scales, patch, larger, extra, more):
    """Also where training cuts smaller patches than the conversion allows for."""
    largest = patch + larger
    multiple, overlap = common_multiple(scales), least_overlap(largest, scales)
    least = -(-largest * max(scales) // multiple) * multiple
    size = [least + side for side in more]
    tiles = list(tiles_of(size, overlap + extra * multiple, overlap, scales))
    for scale in scales:
        places = collections.Counter()
        for tile in tiles:
            height, width = patch_area(tile, scale, patch)
            assert patch <= height <= tile.height // scale
            assert patch <= width <= tile.width // scale
            places.update(
                (tile.y // scale + y, tile.x // scale + x)
                for y in range(height - patch + 1)
                for x in range(width - patch + 1)
            )
        rows, columns = (side // multiple * multiple // scale - patch + 1 for side in size)
        assert places == {(y, x): 1 for y in range(rows) for x in range(columns)}


def test_tiles_of_pictures_of_any_size():
    assert least_overlap(48, (2, 3, 4)) == 192
    # Two tiles of 60 would do for 96 columns; they may be an eighth longer than 48, which is 48.
    assert [tile[:4] for tile in tiles_of((53, 100), 48, 12, (2, 3, 4))] == [
        (0, 0, 48, 48),
        (0, 24, 48, 48),
        (0, 48, 48, 48),
    ]
    assert [tile[4:] for tile in tiles_of((53, 100), 48, 12, (2, 3, 4))] == [
        (0, 24),
        (0, 24),
        (0, 0),
    ]
    assert list(tiles_of((35, 47), 48, 12, (2, 3, 4))) == [(0, 0, 24, 36, 0, 0)]
    # Of DIV2K, and one that is hardly larger than a tile.
    tiles = list(tiles_of((1356, 2040), 480, 192, (2, 3, 4)))
    assert len(tiles) == 4 * 6 and tiles[-1] == (864, 1536, 492, 504, 0, 0)
    assert [tile.x for tile in tiles[:6]] == [0, 300, 612, 912, 1224, 1536]
    assert list(tiles_of((512, 512), 480, 192, (2, 3, 4))) == [(0, 0, 504, 504, 0, 0)]


@pytest.mark.parametrize("height", [1116, 1152, 1224, 1344, 1356, 1404, 1536, 2040])
def test_no_more_is_stored_than_with_tiles_pushed_back_to_the_edge(height):
    """The heights of DIV2K's pictures: what format version 1 stored of such a side."""
    count, tile = tiles_along(height, 480, 192, 12)
    assert count * tile <= 480 * (-(-(height - 480) // 288) + 1)


def test_default_tile_size():
    assert default_tile_size(48, (2, 3, 4)) == 480
    assert default_tile_size(24, (2,)) == 480
    assert default_tile_size(48, (2, 3, 4, 8)) == 960
