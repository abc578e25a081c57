"""Each record has its share of the visits, whole in every stretch of epochs."""

import collections

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsrn_estimator.data import tiles
from bsrn_estimator.data.manifest import Manifest, Shard
from bsrn_estimator.data.sampling import Stream
from bsrn_estimator.data.shares import Shares, patch_places

patches = st.lists(st.integers(1, 40), min_size=1, max_size=12)


@given(patches, st.integers(0, 2**40), st.integers(0, 2**32 - 1))
def test_an_epoch_meets_the_share_of_each_record_to_within_one_visit(patches, epoch, shift):
    shares, count, total = Shares(np.array(patches)), len(patches), sum(patches)
    visits = collections.Counter(shares.record(place, epoch, shift) for place in range(count))
    for record, own in enumerate(patches):
        assert abs(visits[record] - own * count / total) < 1


@given(patches, st.integers(0, 2**32 - 1), st.integers(0, 100))
def test_many_epochs_meet_it_to_within_one_visit_too(patches, shift, begin):
    shares, count, total = Shares(np.array(patches)), len(patches), sum(patches)
    epochs = range(64 * begin, 64 * (begin + 1))
    visits = collections.Counter(
        shares.record(place, epoch, shift) for epoch in epochs for place in range(count)
    )
    for record, own in enumerate(patches):
        # One more where the parts of 2^32 are rounded.
        assert abs(visits[record] - 64 * own * count / total) < 2


@given(st.integers(1, 50), st.integers(1, 10**6), st.integers(0, 99), st.integers(0, 2**32 - 1))
def test_equal_records_are_read_once_an_epoch_in_the_order_of_before(records, own, epoch, shift):
    shares = Shares(np.full(records, own))
    assert [shares.record(place, epoch, shift) for place in range(records)] == list(range(records))


def test_no_number_overflows():
    # A million pictures of 80 megapixels.
    shares = Shares(np.full(10**6, 8 * 10**7))
    assert shares.record(10**6 - 1, 2**40 - 1, 2**32 - 1) == 10**6 - 1


def test_the_visits_of_a_stream_follow_the_shares():
    own = [1, 5, 2, 400, 30, 77]
    streams = [Stream(seed, 2, 6, 2, 1, 1, shares=Shares(np.array(own))) for seed in (1, 2)]
    found = [[stream.record(visit) for visit in range(6 * 512)] for stream in streams]
    for visits in found:
        counts = np.bincount(visits, minlength=6)
        np.testing.assert_allclose(counts, np.array(own) * 6 * 512 / sum(own), atol=2)
    assert found[0] != found[1]
    # Not one epoch after the other alike.
    assert len({tuple(visits[6 * n : 6 * n + 6]) for visits in found for n in range(9)}) > 9


def test_weighted_orders_stay_what_they_are():
    # Checkpoints of long runs rely on it: another order would show a resumed run other data.
    stream = Stream(2**33 + 1, 3, 5, 2, 1, 1, shares=Shares(np.array([9, 1, 20, 3, 14])))
    assert [stream.record(visit) for visit in range(15)] == ORDER


ORDER = [4, 2, 4, 0, 2, 2, 4, 2, 0, 2, 4, 4, 2, 2, 0]


def manifest(version, sizes, records):
    return Manifest(
        format_version=version,
        dataset="div2k",
        split="train",
        kind="training",
        scales=(2, 3),
        encoding="png",
        tile_size=48,
        overlap=18,
        pictures=len(sizes),
        records=records,
        skipped=0,
        shards=(Shard("a", 1, 10, 7, sizes[:1]), Shard("b", records - 1, 10, 7, sizes[1:])),
        patch_size=7,
    )


def test_areas_of_all_records_in_order():
    sizes = ("29x50", "100x31", "29x50")
    given = manifest(2, sizes, 5)
    expected = [
        tiles.patch_area(tile, 3, 5)
        for height, width in ((50, 29), (31, 100), (50, 29))
        for tile in tiles.tiles_of((height, width), 48, 18, (2, 3))
    ]
    assert patch_places(given, 3, 5).areas.tolist() == [list(area) for area in expected]
    assert len(expected) == 5 and expected[0] == (16, 8)


def test_records_of_version_1_have_no_places():
    assert patch_places(manifest(1, (), 5), 2, 5) is None


@pytest.mark.parametrize("scale, patch", [(2, 5), (3, 5), (2, 7), (3, 7)])
def test_the_likeliest_pixel_of_each_picture_is_as_likely_as_any_other(scale, patch):
    """Counted pixel by pixel, for pictures from one patch high to several tiles wide."""
    sizes = ((24, 24), (50, 29), (31, 133), (24, 72), (97, 60), (110, 25))
    given = manifest(2, tuple("%dx%d" % size[::-1] for size in sizes), 0)
    places = patch_places(given, scale, patch)
    records = zip(places.areas, places.weights)
    likeliest = []
    for size in sizes:
        chance = np.zeros([side // 6 * 6 // scale for side in size])
        for tile in tiles.tiles_of(size, 48, 18, (2, 3)):
            area, weight = next(records)
            rows, columns = area - patch + 1
            for y in range(rows):
                for x in range(columns):
                    top, left = tile.y // scale + y, tile.x // scale + x
                    part = chance[top : top + patch, left : left + patch]
                    part += weight / (rows * columns)
        likeliest.append(chance.max())
        inner = chance[patch - 1 : 1 - patch or None, patch - 1 : 1 - patch or None]
        if inner.size:
            np.testing.assert_allclose(inner, chance.max())
    np.testing.assert_allclose(likeliest, patch**2)
    assert next(records, None) is None
