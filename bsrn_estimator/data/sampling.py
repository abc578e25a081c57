"""The order of the training data: a pure function of the seed and of the position.

For every scale there is a stream of visits. Visit v of a stream reads one record: in epoch
v // records, every record once, or as often as its share is (`shares`), in an order drawn from
(seed, scale, epoch). A visit gives several patches. As many visits as a batch has patches are a
group, and several groups are a block: it gives a batch of the first patches of each group in turn,
then the second patches of each, and so on. So the patches of a batch come from different tiles, and
those of the next batches from others.

In sorted order (`Recipe.order`) the epochs are alike: the records as they come, by name, in whole
batches, of which the last is left out. So SRDRM's authors read (github.com/xahidbuffon/SRDRM).

With several ranks, rank r takes the visits v = r, r + rank_size, r + 2 * rank_size, ...
"""

import dataclasses
import functools
from typing import Any, Dict, Optional, Sequence, Tuple

import numpy as np

from bsrn_estimator.config import PATCHES, SORTED, Recipe
from bsrn_estimator.data.shares import Shares

# The number of the rule by which the places of tiles follow from recipe and data. What it says must
# stay: a run goes on in the order that it was begun in.
NEWEST_ORDER = 2
# In order 1 a block was of so many tiles, rounded up to whole groups.
FORMER_TILES_IN_PLAY = 32
_GROUPS_IN_PLAY = 8
_BYTES_IN_PLAY = 2**29
# What the draws of the kinds of numbers begin with, so that they never share a generator.
_ORDER, _SCALES, _SHIFT = 1, 2, 3
_STEPS_DRAWN_TOGETHER = 1024
# More than any scale: keeps the draws of a visit at different scales apart.
_SCALE_SLOTS = 16


@dataclasses.dataclass(frozen=True)
class Stream:
    """The visits of one rank at one scale.

    Attributes:
      seed: the seed of the run.
      scale: the scale.
      records: number of records of the data set.
      batch_size: patches in one batch.
      patches_per_tile: patches that one visit gives.
      groups_in_play: groups of `batch_size` visits in a block.
      rank: this process, from 0.
      rank_size: number of processes.
      shares: how often each record is read; None for once an epoch.
      is_sorted: whether the order is that of the records.
    """

    seed: int
    scale: int
    records: int
    batch_size: int
    patches_per_tile: int
    groups_in_play: int
    rank: int = 0
    rank_size: int = 1
    shares: Optional[Shares] = None
    is_sorted: bool = False

    def visit(self, number: Any) -> Any:
        """The visit that this rank makes as its `number`-th, counted over all ranks."""
        return number * self.rank_size + self.rank

    def key(self, visit) -> Tuple[Any, Any]:
        """What the draws of a visit are a function of; `visit` may be an int64 scalar tensor."""
        return self.seed, visit * _SCALE_SLOTS + self.scale

    def record(self, visit: int) -> int:
        """The record, from 0, that `visit` (counted over all ranks) reads."""
        if self.is_sorted:
            return int(visit) % self._sorted_epoch % self.records
        epoch, place = divmod(int(visit), self.records)
        place = int(permutation(self.seed, self.scale, epoch, self.records)[place])
        if self.shares is None:
            return place
        return self.shares.record(place, epoch, _shift(self.seed, self.scale))

    @property
    def _sorted_epoch(self) -> int:
        """The visits of an epoch in sorted order, of one batch at least."""
        together = self.batch_size * self.rank_size
        return max(self.records // together - 1, 1) * together

    def start(self, batch: int) -> Tuple[int, int]:
        """Where to begin reading for batch number `batch`.

        Returns:
          (number of this rank's first visit, a block's first; batches to leave out after it).
        """
        blocks, batches = divmod(batch, self.groups_in_play * self.patches_per_tile)
        return blocks * self.groups_in_play * self.batch_size, batches


def tiles_in_play(recipe: Recipe, scale: int) -> int:
    """The tiles of a block in order 2: eight groups, so that batches in a row are of other tiles.

    Where `FORMER_TILES_IN_PLAY` are more, it is these. There are fewer groups where the patches of
    a block, which memory holds twice, would be more than 512 MB: one group at least. In sorted
    order, and of whole pictures, there is one.

    Args:
      recipe: batch and patch size, patches for each reading of a tile.
      scale: the largest scale that is trained.
    """
    if recipe.order == SORTED or recipe.crops != PATCHES:
        return recipe.batch_size
    pixels = recipe.patch_size**2 * (1 + scale**2)
    group = recipe.step_batch * recipe.patches_per_tile * 3 * pixels
    groups = min(_GROUPS_IN_PLAY, max(_BYTES_IN_PLAY // group, 1))
    return max(groups * recipe.step_batch, FORMER_TILES_IN_PLAY)


# Two epochs meet in a block, for each of four scales; a few more where records are few.
@functools.lru_cache(maxsize=16)
def permutation(seed: int, scale: int, epoch: int, records: int) -> np.ndarray:
    """The order in which `epoch` reads the records at `scale`: int64 [records]."""
    order = _generator(_ORDER, seed, scale, epoch).permutation(records)
    order.setflags(write=False)
    return order


@functools.lru_cache(maxsize=16)
def _shift(seed: int, scale: int) -> int:
    """What `Shares` shifts the epochs of a stream by."""
    return int(_generator(_SHIFT, seed, scale).randint(2**32, dtype=np.int64))


def scale_of_step(seed: int, step: int, scales: Sequence[int]) -> int:
    """The scale that the random schedule trains at `step`: each equally likely, the same on every
    rank.

    Args:
      seed: the seed of the run.
      step: number of the batch, from 0.
      scales: the scales of the network.
    """
    chunk, place = divmod(int(step), _STEPS_DRAWN_TOGETHER)
    return int(_scales_of_chunk(seed, chunk, tuple(scales))[place])


def batches_before(seed: int, step: int, scales: Sequence[int]) -> Dict[int, int]:
    """How many of the steps before `step` train each scale: where its stream stands at `step`."""
    scales = tuple(scales)
    counts = {scale: 0 for scale in scales}
    chunks, place = divmod(int(step), _STEPS_DRAWN_TOGETHER)
    for chunk in range(chunks + 1):
        drawn = _scales_of_chunk(seed, chunk, scales)
        for scale in scales:
            counts[scale] += int(np.sum(drawn[: place if chunk == chunks else None] == scale))
    return counts


@functools.lru_cache(maxsize=8)
def _scales_of_chunk(seed: int, chunk: int, scales: Tuple[int, ...]) -> np.ndarray:
    drawn = _generator(_SCALES, seed, chunk).randint(len(scales), size=_STEPS_DRAWN_TOGETHER)
    return np.array(scales)[drawn]


def _generator(*numbers: int) -> np.random.RandomState:
    """The legacy generator, whose values numpy promises never to change, seeded by `numbers`."""
    words = [word for number in numbers for word in (number & 0xFFFFFFFF, number >> 32)]
    return np.random.RandomState(np.array(words, np.uint64).astype(np.uint32))
