"""Where the tiles of a training picture lie, and which patches are cut from which tile.

A tile must register with its LR tiles, so its origin and its size are multiples of the least
common multiple M of all scales; what is left of a picture beyond a multiple of M (less than M
pixels at its right and lower edge) is in no tile.

Every patch of p x p LR pixels at scale s must lie inside one tile. It begins at a multiple of s
and is p * s long. Between two neighbouring tiles that begin `step` apart, the last patch that
begins before the second one begins s pixels before it, and must end inside the first tile:
step - s + p * s <= tile. So neighbours must share at least (p - 1) * s pixels, for the largest
scale, rounded up to a multiple of M: 192 for 48 x 48 at scales 2, 3 and 4.

A side is covered by as few tiles as do, each an eighth longer than asked at the most. They are of
one length, the shortest that suffices, and begin at even distances.

Where tiles overlap by more than their patches need, a patch would lie in several. It belongs to the
last tile that begins before it, so each patch of a picture belongs to one tile, and tiles that are
read as often as they have patches give each patch of a data set the same chance.

This is version 2 of the format of the data (`manifest`): the manifest tells the sizes of the
pictures, and the tiles follow from these. So what is computed here must stay.
"""

import math
from typing import Iterator, List, NamedTuple, Sequence, Tuple


class TileArea(NamedTuple):
    """A rectangle of an HR picture, in pixels.

    Attributes:
      y, x: where it begins.
      height, width: its size.
      down: how far below it the next tile begins; 0 where none follows.
      across: how far to its right the next tile begins; 0 where none follows.
    """

    y: int
    x: int
    height: int
    width: int
    down: int = 0
    across: int = 0


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


def tiles_along(length: int, tile_size: int, overlap: int, multiple: int) -> Tuple[int, int]:
    """How many tiles cover a side, and how long they are.

    Args:
      length: of the side, a multiple of `multiple`; so are `tile_size` and `overlap`.
      tile_size: the length asked for.
      overlap: pixels that neighbours share at least; less than `tile_size`.
      multiple: of which lengths and origins are multiples.
    """
    longest = tile_size + tile_size // 8 // multiple * multiple
    count = max(-(-(length - overlap) // (longest - overlap)), 1)
    units = -(-(length + (count - 1) * overlap) // (count * multiple))
    return count, units * multiple


def starts(length: int, tile_size: int, overlap: int, multiple: int) -> List[int]:
    """Where the tiles begin along a side; see `tiles_along`."""
    count, tile = tiles_along(length, tile_size, overlap, multiple)
    room = (length - tile) // multiple
    return [number * room // max(count - 1, 1) * multiple for number in range(count)]


def tiles_of(
    size: Tuple[int, int], tile_size: int, overlap: int, scales: Sequence[int]
) -> Iterator[TileArea]:
    """The tiles of a picture, row after row.

    Args:
      size: height and width of the HR picture; it is cropped to a multiple of M.
      tile_size: a multiple of M.
      overlap: from `least_overlap`; smaller than `tile_size`.
      scales: all scales of the data set.
    """
    multiple = common_multiple(scales)
    sides = [side // multiple * multiple for side in size]
    height, width = (tiles_along(side, tile_size, overlap, multiple)[1] for side in sides)
    rows, columns = (_steps(starts(side, tile_size, overlap, multiple)) for side in sides)
    for y, down in rows:
        for x, across in columns:
            yield TileArea(y, x, height, width, down, across)


def _steps(begins: List[int]) -> List[Tuple[int, int]]:
    """Each beginning, and how far it is to the next one; 0 for the last."""
    ends = begins[1:] + begins[-1:]
    return [(begin, end - begin) for begin, end in zip(begins, ends)]


def patch_area(tile: TileArea, scale: int, patch_size: int) -> Tuple[int, int]:
    """The part of an LR tile, from its first pixel on, in which the patches lie that belong to it.

    Args:
      tile: from `tiles_of`.
      scale: of the LR tile.
      patch_size: height and width of the patches in LR pixels, no more than the tiles allow.

    Returns:
      Its height and width in LR pixels.
    """

    def part(length: int, step: int) -> int:
        return step // scale + patch_size - 1 if step else length // scale

    return part(tile.height, tile.down), part(tile.width, tile.across)
