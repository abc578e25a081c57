"""How often each record is read: so that each pixel of a data set has the same chance.

Were each patch as likely as any other, all pixels that a patch can hold at any of its places would
be equally likely, in large pictures and in small ones. A picture less than two patches high or wide
has no such pixels; the likeliest it has, in its middle, lie in all its patches along that side. For
these to be as likely as the others, a side of n places counts as one of as many as a patch has
pixels, where n is less than that.
"""

import array
import itertools
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from bsrn_estimator.data.manifest import Manifest, parsed_size
from bsrn_estimator.data.tiles import common_multiple, patch_area, tiles_of

# An epoch's rounding is shifted by so many parts of a record's share.
_PARTS_BITS = 32


class PatchPlaces(NamedTuple):
    """Where the patches of each record lie, and how often it is read.

    Attributes:
      areas: height and width of the part of the LR tile in which the patches lie that belong to it,
        in pixels from its first one on; int32 [records, 2].
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

    # Computed once for each size: there may be millions of pictures.
    numbers: Dict[str, int] = {}
    found: List[Tuple[List[Tuple[int, int]], List[int]]] = []
    of_pictures = array.array("l")
    for size in itertools.chain(*(shard.sizes for shard in manifest.shards)):
        number = numbers.setdefault(size, len(numbers))
        of_pictures.append(number)
        if number == len(found):
            whole = parsed_size(size)
            parts = [patch_area(tile, scale, patch_size) for tile in tiles_of(whole, *layout)]
            shares = picture_weights(parts, whole, manifest.scales, scale, patch_size)
            found.append((parts, shares))
    rows = _rows([len(parts) for parts, _ in found], np.array(of_pictures, np.int64))
    areas = np.concatenate([np.array(parts, np.int32) for parts, _ in found])
    weights = np.concatenate([np.array(shares, np.int64) for _, shares in found])
    return PatchPlaces(areas[rows], weights[rows])


def _rows(lengths: Sequence[int], tables: np.ndarray) -> np.ndarray:
    """Which rows of tables that stand one behind another all pictures have, one after the other.

    Args:
      lengths: rows of each table.
      tables: the table of each picture, int64 [pictures].

    Returns:
      int64 [rows of all pictures].
    """
    counts = np.array(lengths, np.int64)[tables]
    firsts = (np.cumsum(lengths) - lengths)[tables]
    # Where the rows of each picture begin in the result.
    begins = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(firsts - begins, counts)


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
