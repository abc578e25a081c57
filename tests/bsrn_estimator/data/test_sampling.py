"""The order of the training data, against a plain enumeration of it."""

import collections

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsrn_estimator.config import Recipe
from bsrn_estimator.data import sampling
from bsrn_estimator.data.sampling import Stream


def enumerated(stream, batches):
    """The (visit, patch) pairs of the first batches, as the module's first lines describe them."""
    visits = (v for v in range(10**9) if v % stream.rank_size == stream.rank)
    found = []
    while len(found) < batches:
        groups = [
            [next(visits) for _ in range(stream.batch_size)] for _ in range(stream.groups_in_play)
        ]
        for patch in range(stream.patches_per_tile):
            found += [[(visit, patch) for visit in group] for group in groups]
    return found[:batches]


@given(
    batch=st.integers(0, 200),
    batch_size=st.integers(1, 5),
    patches=st.integers(1, 4),
    groups=st.integers(1, 4),
    rank_size=st.integers(1, 3),
)
def test_start_is_the_block_that_holds_the_batch(batch, batch_size, patches, groups, rank_size):
    stream = Stream(1, 2, 7, batch_size, patches, groups, rank_size - 1, rank_size)
    number, surplus = stream.start(batch)
    assert 0 <= surplus < groups * patches
    pairs = enumerated(stream, batch + 1)
    block = [visit for visit, _ in pairs[batch - surplus]]
    ours = [visit for visit in range(10**5) if visit % rank_size == stream.rank]
    assert block == ours[number : number + batch_size]


def test_an_epoch_reads_every_record_once_and_each_epoch_in_another_order():
    stream = Stream(3, 2, 11, 4, 1, 1)
    epochs = [[stream.record(v) for v in range(11 * e, 11 * e + 11)] for e in range(5)]
    assert all(sorted(epoch) == list(range(11)) for epoch in epochs)
    assert len(set(map(tuple, epochs))) == 5


def test_the_order_depends_on_seed_and_scale():
    orders = {
        tuple(sampling.permutation(seed, scale, 0, 20))
        for seed in (0, 1, 2**32, 2**32 + 1, 2**40)
        for scale in (2, 3, 4, 8)
    }
    assert len(orders) == 20


def test_orders_stay_what_they_are():
    # Checkpoints of long runs rely on it: another order would show a resumed run other data.
    assert list(sampling.permutation(1, 2, 0, 10)) == [7, 8, 5, 4, 3, 1, 0, 2, 9, 6]
    scales = [sampling.scale_of_step(2**33 + 1, step, (2, 3, 4)) for step in range(1020, 1030)]
    assert scales == [2, 4, 3, 4, 2, 4, 2, 3, 4, 2]


def test_ranks_share_out_the_visits():
    streams = [Stream(5, 3, 13, 2, 2, 2, rank, 3) for rank in range(3)]
    visits = sorted(stream.visit(number) for stream in streams for number in range(50))
    assert visits == list(range(150))


def test_scales_are_equally_likely():
    counts = collections.Counter(sampling.scale_of_step(7, n, (2, 3, 4)) for n in range(30000))
    assert set(counts) == {2, 3, 4}
    # Four standard deviations of a binomial share of a third.
    assert max(abs(count - 10000) for count in counts.values()) < 4 * (30000 * 2 / 9) ** 0.5


@pytest.mark.parametrize("step", [0, 1, 7, 1023, 1024, 1025, 3000])
def test_batches_before_counts_the_steps_of_each_scale(step):
    drawn = [sampling.scale_of_step(7, n, (2, 4)) for n in range(step)]
    assert sampling.batches_before(7, step, (2, 4)) == {2: drawn.count(2), 4: drawn.count(4)}


def test_order_cannot_be_changed_by_its_reader():
    with pytest.raises(ValueError):
        sampling.permutation(1, 2, 0, 10)[0] = 3
    assert sampling.permutation(1, 2, 0, 10).dtype == np.int64


@pytest.mark.parametrize(
    "batch_size, patches, patch_size, scale, groups",
    [
        # Where 32 tiles are eight groups and more, they stay.
        (1, 8, 48, 4, 32),
        (3, 8, 48, 4, 11),
        (4, 8, 48, 4, 8),
        (8, 8, 48, 4, 8),
        (32, 8, 48, 4, 8),
        # 3 * 48**2 * 17 bytes a patch: 64 visits of 8 are 60 MB.
        (64, 8, 48, 4, 8),
        (128, 8, 48, 4, 4),
        (128, 1, 48, 4, 8),
        (128, 8, 48, 2, 8),
        (128, 8, 16, 4, 8),
        (1000, 8, 48, 4, 1),
        # More than allowed even so: what there was before.
        (8, 1000, 48, 8, 4),
    ],
)
def test_tiles_in_play_follow_the_batch(batch_size, patches, patch_size, scale, groups):
    recipe = Recipe(batch_size=batch_size, patches_per_tile=patches, patch_size=patch_size)
    tiles = sampling.tiles_in_play(recipe, scale)
    assert -(-tiles // batch_size) == groups
