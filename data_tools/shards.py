"""Which pictures go into which shard: known from their sizes alone, before any work is done.

So conversions that share the work agree on it without a word, and a picture that turns out bad
moves no other one.
"""

from typing import List, Sequence, Tuple

from bsrn_estimator.data.tiles import tiles_of
from data_tools.options import ConversionOptions

# What PNG makes of the bytes of photographs, at all scales together: 0.55 to 0.65.
_PNG_SHARE = 0.6


def shard_numbers(sizes: Sequence[Tuple[int, int]], options: ConversionOptions) -> List[int]:
    """The shard of each picture, in ascending order; numbers may be left out.

    A picture goes by the bytes expected of the pictures before it: shard n holds those before which
    n times `shard_bytes` are full.

    Args:
      sizes: height and width of the pictures, in order.
      options: complete.
    """
    numbers, before = [], 0
    for size in sizes:
        numbers.append(before // options.shard_bytes)
        before += expected_bytes(size, options)
    return numbers


def shard_spans(
    sizes: Sequence[Tuple[int, int]], options: ConversionOptions
) -> List[Tuple[int, int]]:
    """The first picture of each shard, and the one behind its last; see `shard_numbers`."""
    numbers = shard_numbers(sizes, options)
    changes = zip([-1] + numbers, numbers)
    begins = [place for place, (before, number) in enumerate(changes) if before != number]
    return list(zip(begins, begins[1:] + [len(numbers)]))


def expected_bytes(size: Tuple[int, int], options: ConversionOptions) -> int:
    """About how many bytes the records of a picture take, from its height and width."""
    pixels = size[0] * size[1]
    if options.training:
        tiles = tiles_of(size, options.tile_size, options.overlap, options.scales)
        pixels = sum(tile.height * tile.width for tile in tiles)
    values = 3 * pixels * (1 + sum(scale**-2 for scale in options.scales))
    return int(values * (1 if options.encoding == "raw" else _PNG_SHARE))
