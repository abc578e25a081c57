"""From pictures to patches: each patch of a set of mixed sizes comes up as often as it should."""

import collections
import hashlib
import shutil

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.config import Recipe
from bsrn_estimator.data import input_fn
from bsrn_estimator.data.reader import CorruptRecords
from bsrn_estimator.data.tiles import tiles_of
from data_tools.convert import convert
from data_tools.options import ConversionOptions
from tests.support import fabricate, tiles

SCALE, PATCH = 2, 3
# Several tiles each way, one of the least size, one just larger than a tile.
SIZES = ((44, 71), (8, 8), (15, 37))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    for number, size in enumerate(SIZES):
        fabricate.save(tiles.coordinates(*size, number), root, "in", "a%d.png" % number)
    options = ConversionOptions(
        "folder",
        str(root / "in"),
        str(root / "out"),
        scales=(SCALE,),
        tile_size=16,
        patch_size=4,
        workers=1,
    )
    manifest = convert(options.complete()).manifest
    assert manifest.records > 20
    return manifest.records, str(root / "out")


def places(data_dir, batches, **given):
    """Picture, row and column of the first HR pixel of each patch, and its record's key."""
    recipe = Recipe(batch_size=16, patch_size=PATCH, patches_per_tile=4, seed=3)
    read = input_fn.training_input_fn(data_dir, (SCALE,), recipe, **given)
    with tf.Graph().as_default(), tf.Session() as session:
        iterator = tf.data.make_initializable_iterator(read())
        features, labels = iterator.get_next()
        session.run(iterator.initializer)
        for _ in range(batches):
            hrs, keys = session.run((labels["hr"], features["key"]))
            for hr, key in zip(hrs, keys):
                yield (int(hr[0, 0, 2]), int(hr[..., 0].min()), int(hr[..., 1].min())), key.decode()


def test_every_patch_is_as_likely_as_it_should_be(data_dir):
    records, folder = data_dir
    batches = 64 * records * 4 // 16
    counts = collections.Counter(place for place, _ in places(folder, batches))
    possible = [
        (number, SCALE * y, SCALE * x)
        for number, (height, width) in enumerate(SIZES)
        for y in range(height // SCALE - PATCH + 1)
        for x in range(width // SCALE - PATCH + 1)
    ]
    assert set(counts) <= set(possible)
    # Alike, but in the small picture, whose middle would else be too rare: it has 2 places each way
    # where others have 3 that hold a pixel.
    expected = np.array([1.5**2 if number == 1 else 1 for number, _, _ in possible])
    expected *= 16 * batches / expected.sum()
    found = np.array([counts[place] for place in possible])
    square, freedom = np.sum((found - expected) ** 2 / expected), len(possible) - 1
    # Chi-square: five standard deviations. It is three times the freedom where all tiles are read
    # equally often, and where their patches lie anywhere in them.
    assert square < freedom + 5 * (2 * freedom) ** 0.5


def test_the_tile_in_place_of_a_corrupt_one_gives_its_own_patches(data_dir, tmp_path):
    """Which are those that no other record gives."""
    records, folder = data_dir
    copy = str(tmp_path / "copy")
    shutil.copytree(folder, copy)
    # The last of a row, whose part is wider than that of the next, and the one before it.
    last = [tile.across for tile in tiles_of(SIZES[0], 16, 6, (SCALE,))].index(0)
    for record in (last - 1, last, records - 1):
        tiles.spoil(copy, record)
    found = places(copy, 4 * records, corrupt=CorruptRecords(0.5))
    of_place = collections.defaultdict(set)
    for place, key in found:
        of_place[place].add(key)
    assert max(map(len, of_place.values())) == 1
    assert len(set.union(*of_place.values())) == records - 3


def test_the_data_stays_what_it_is(data_dir):
    # On both runtimes, and in later versions: a resumed run relies on it.
    found = [place for place, _ in places(data_dir[1], 12, start_step=100)]
    digest = hashlib.sha256(repr(found).encode()).hexdigest()
    assert digest[:16] == "d4e364a75ce01eba"


def test_goes_on_where_it_stopped_and_ranks_share_it_out(data_dir):
    folder = data_dir[1]
    whole = list(places(folder, 64))
    assert list(places(folder, 9, start_step=37)) == whole[16 * 37 : 16 * 46]
    # In blocks of 8 groups of 16 visits each: what one process reads in two blocks.
    ranks = [list(places(folder, 32, rank=rank, rank_size=2)) for rank in (0, 1)]
    assert sorted(ranks[0] + ranks[1]) == sorted(whole)
