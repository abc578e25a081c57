"""Where the tiles of a training picture lie.

A tile must register with its LR tiles, so its origin and its size are multiples of the least
common multiple M of all scales; what is left of a picture beyond a multiple of M (less than M
pixels at its right and lower edge) is in no tile.

Every patch of p x p LR pixels at scale s must lie inside one tile. It begins at a multiple of s
and is p * s long. Between two neighbouring tiles that begin `step` apart, the last patch that
begins before the second one begins s pixels before it, and must end inside the first tile:
step - s + p * s <= tile. So neighbours must share at least (p - 1) * s pixels, for the largest
scale, rounded up to a multiple of M: 192 for 48 x 48 at scales 2, 3 and 4. The last tile of a row
is moved back to the edge, which makes its overlap larger, never smaller.
"""

import math
from typing import Iterator, List, NamedTuple, Sequence, Tuple


class TileArea(NamedTuple):
    """A rectangle of an HR picture, in pixels."""

    y: int
    x: int
    height: int
    width: int


def common_multiple(scales: Sequence[int]) -> int:
    """The least common multiple of the scales."""
    multiple = 1
    for scale in scales:
        multiple = multiple * scale // math.gcd(multiple, scale)
    return multiple


def least_overlap(patch_size: int, scales: Sequence[int]) -> int:
    """HR pixels that neighbouring tiles share, so that no patch position is lost.

    Args:
      patch_size: height and width of the largest LR patch.
      scales: all scales of the data set.
    """
    multiple = common_multiple(scales)
    return -(-(patch_size - 1) * max(scales) // multiple) * multiple


def default_tile_size(patch_size: int, scales: Sequence[int]) -> int:
    """480, or two and a half patches of the largest scale where that is more.

    A tile hardly larger than its overlap would multiply the data: with tiles of 480 and 48 x 48
    patches at scale 4, a pixel is stored 2.8 times; at scale 8 it would be 25 times.
    """
    multiple = common_multiple(scales)
    least = max(480, 5 * patch_size * max(scales) // 2)
    return -(-least // multiple) * multiple


def starts(length: int, tile: int, overlap: int) -> List[int]:
    """Where the tiles begin along a side of `length` pixels; both must be multiples of M."""
    if length <= tile:
        return [0]
    return list(range(0, length - tile, tile - overlap)) + [length - tile]


def tiles_of(
    size: Tuple[int, int], tile_size: int, overlap: int, scales: Sequence[int]
) -> Iterator[TileArea]:
    """The tiles of a picture, row after row.

    Args:
      size: height and width of the HR picture; a side shorter than a tile gives a tile as long as
        the side, cropped to a multiple of M.
      tile_size: a multiple of M.
      overlap: from `least_overlap`; smaller than `tile_size`.
      scales: all scales of the data set.
    """
    multiple = common_multiple(scales)
    height, width = (side // multiple * multiple for side in size)
    for y in starts(height, tile_size, overlap):
        for x in starts(width, tile_size, overlap):
            yield TileArea(y, x, min(height, tile_size), min(width, tile_size))
