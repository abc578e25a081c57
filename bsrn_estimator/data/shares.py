"""How often each record is read: so that each pixel of a data set has the same chance.

Were each patch as likely as any other, all pixels that a patch can hold at any of its places would
be equally likely, in large pictures and in small ones. A picture less than two patches high or wide
has no such pixels; the likeliest it has, in its middle, lie in all its patches along that side. For
these to be as likely as the others, a side of n places counts as one of as many as a patch has
pixels, where n is less than that.
"""

import functools
from typing import List, NamedTuple, Optional, Tuple

import numpy as np

from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.data.tiles import common_multiple, patch_area, tiles_of

# An epoch's rounding is shifted by so many parts of a record's share.
_PARTS_BITS = 32


class PatchPlaces(NamedTuple):
    """Where the patches of each record lie, and how often it is read.

    Attributes:
      areas: height and width of the part of the LR tile in which the patches lie that belong to it,
        in pixels from its first one on; int64 [records, 2].
      weights: in what proportion the records are read; int64 [records], at least 1.
    """

    areas: np.ndarray
    weights: np.ndarray


def patch_places(manifest: Manifest, scale: int, patch_size: int) -> Optional[PatchPlaces]:
    """The places of all patches of a data set.

    Args:
      manifest: of training records.
      scale: of the LR tiles.
      patch_size: height and width of the patches in LR pixels.

    Returns:
      None for data of format version 1: their patches lie anywhere in their tiles, which are read
      equally often.
    """
    if manifest.format_version < 2:
        return None
    layout = manifest.tile_size, manifest.overlap, manifest.scales

    @functools.lru_cache(maxsize=None)
    def of_picture(size: Tuple[int, int]) -> np.ndarray:
        areas = [patch_area(tile, scale, patch_size) for tile in tiles_of(size, *layout)]
        weights = picture_weights(areas, size, manifest.scales, scale, patch_size)
        return np.column_stack([np.array(areas, np.int64), np.array(weights, np.int64)])

    sizes = [size for shard in manifest.shards for size in shard.picture_sizes]
    table = np.concatenate([of_picture(size) for size in sizes])
    return PatchPlaces(table[:, :2], table[:, 2])


def picture_weights(
    areas: List[Tuple[int, int]],
    size: Tuple[int, int],
    scales: Tuple[int, ...],
    scale: int,
    patch_size: int,
) -> List[int]:
    """The weights of the tiles of one picture.

    Args:
      areas: from `patch_area`, one for each tile.
      size: height and width of the HR picture.
      scales: all scales of the data set.
      scale: of the areas.
      patch_size: height and width of the patches in LR pixels.
    """
    multiple = common_multiple(scales)
    wholes = [side // multiple * multiple // scale - patch_size + 1 for side in size]

    def along(length: int, whole: int) -> int:
        # Rounded up; exact where the side is of one tile, or as long as two patches.
        return -(-(length - patch_size + 1) * max(whole, patch_size) // whole)

    return [along(area[0], wholes[0]) * along(area[1], wholes[1]) for area in areas]


class Shares:
    """Which record an epoch reads at each of its places, where each record has its share of them.

    An epoch has as many places as there are records. The stretches of the records, each as long as
    its weight, make up a line, and the places lie on that line at even distances. So a record's
    share of an epoch is met to within one visit, rounded up or down; the places move from epoch to
    epoch, and over many its visits follow its share. Where all weigh the same, each has one place,
    in the order of the records.

    Args:
      weights: of the records; int64 [records], at least 1 each.
    """

    def __init__(self, weights: np.ndarray) -> None:
        self._ends = np.cumsum(weights, dtype=np.int64)

    def record(self, place: int, epoch: int, shift: int) -> int:
        """The record at a place, 0 to records - 1, of an epoch.

        Args:
          place: the place on the line, from 0.
          epoch: from 0. The places of 2^n epochs from a multiple of 2^n on divide the line evenly.
          shift: moves all epochs, so that not every seed begins alike; below 2^32.
        """
        # Python's integers, which do not overflow.
        total, records = int(self._ends[-1]), len(self._ends)
        parts = 1 << _PARTS_BITS
        # The bits in reverse halve the largest gap again and again (van der Corput).
        turned = int(format(epoch % parts, "0%db" % _PARTS_BITS)[::-1], 2)
        moved = total * ((turned + shift) % parts) >> _PARTS_BITS
        return int(np.searchsorted(self._ends, (place * total + moved) // records, "right"))
