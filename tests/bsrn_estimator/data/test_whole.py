"""Whole pictures, in the order and with the flips of SRDRM's authors, value by value."""

import numpy as np
import pytest

from bsrn_estimator.config import Recipe
from bsrn_estimator.data import input_fn, sampling
from bsrn_estimator.errors import UserError
from data_tools.convert import convert
from data_tools.options import ConversionOptions
from tests.bsrn_estimator.data.test_input_fn import same, shapes, taken
from tests.support import fabricate

_COUNT, _SIZE = 7, (32, 56)
_AUTHORS = dict(order="sorted", crops="whole", orientations="flips", batch_size=2, seed=3)


def write(folder, sizes=(_SIZE,) * _COUNT, **changes):
    fabricate.usr248(folder / "in", sizes)
    options = dict(scales=(2, 4, 8), patch_size=2, tile_size=64, workers=1)
    options.update(input_dir=str(folder / "in"), output_dir=str(folder / "out"), **changes)
    convert(ConversionOptions("usr248", **options).complete())
    return str(folder / "out")


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory):
    return write(tmp_path_factory.mktemp("usr248"))


@pytest.fixture(scope="module")
def records(data_dir):
    return fabricate.read_back(data_dir)


def read(data_dir, batches, scales=(4,), recipe=None, **options):
    recipe = recipe or Recipe(**_AUTHORS)
    return taken(input_fn.training_input_fn(data_dir, scales, recipe, **options), batches)


def orientation(pixels, record):
    """0 to 3: which flips make `record` into `pixels`."""
    forms = [record, record[:, ::-1], record[::-1], record[::-1, ::-1]]
    found = [number for number, form in enumerate(forms) if np.array_equal(form, pixels)]
    assert len(found) == 1
    return found[0]


def test_in_the_order_of_the_names_without_the_last_batch(data_dir, records):
    # Of 7 pictures three batches of two are whole, and the authors see two of these.
    expected = [name.encode() for name in [r["key"] for r in records][:4]]
    elements = read(data_dir, 5)
    keys = [list(features["key"]) for features, _ in elements]
    assert keys == [expected[:2], expected[2:], expected[:2], expected[2:], expected[:2]]
    for features, labels in elements:
        assert features["lr"].shape == (2, 8, 14, 3) and labels["hr"].shape == (2, 32, 56, 3)


def test_pairs_are_flipped_alike_and_by_their_share(data_dir, records):
    by_key = {r["key"].encode(): r for r in records}
    found = []
    for features, labels in read(data_dir, 200):
        for lr, hr, key in zip(features["lr"], labels["hr"], features["key"]):
            found.append(orientation(hr, by_key[key]["hr"]))
            assert orientation(lr, by_key[key]["lr_x4"]) == found[-1]
    shares = np.bincount(found, minlength=4) / len(found)
    np.testing.assert_allclose(shares, [9 / 16, 3 / 16, 3 / 16, 1 / 16], atol=0.07)


@pytest.mark.parametrize("share, expected", [(0.0, {0}), (1.0, {3})])
def test_no_flip_and_both(data_dir, records, share, expected):
    elements = read(data_dir, 4, recipe=Recipe(flip_share=share, **_AUTHORS))
    names = {r["key"].encode(): r["hr"] for r in records}
    found = {
        orientation(hr, names[key])
        for features, labels in elements
        for hr, key in zip(labels["hr"], features["key"])
    }
    assert found == expected


def test_goes_on_as_without_a_stop(data_dir):
    whole = read(data_dir, 9)
    assert same(whole[5:], read(data_dir, 4, start_step=5))
    assert not same(whole[:4], read(data_dir, 4, recipe=Recipe(**dict(_AUTHORS, seed=4))))


def test_shapes_are_static_and_shuffled_whole_pictures_all_come(data_dir, records):
    recipe = Recipe(**dict(_AUTHORS, order="shuffled", batch_size=1, scale_schedule="joint"))
    made = input_fn.training_input_fn(data_dir, (8,), recipe)
    assert shapes(made) == {
        "lr": ("uint8", [1, 4, 7, 3]),
        "key": ("string", [1]),
        "hr_x8": ("uint8", [1, 32, 56, 3]),
    }
    keys = [features["key"][0].decode() for features, _ in taken(made, _COUNT)]
    assert sorted(keys) == [r["key"] for r in records] and keys != sorted(keys)


def test_ranks_share_the_sorted_records_out():
    streams = [
        sampling.Stream(1, 2, 9, 2, 1, 1, rank, 2, None, is_sorted=True) for rank in range(2)
    ]
    # Four a step of both: two whole steps, of which the first is an epoch.
    of_ranks = [[s.record(s.visit(number)) for number in range(4)] for s in streams]
    assert of_ranks == [[0, 2, 0, 2], [1, 3, 1, 3]]


def test_fewer_records_than_a_batch():
    stream = sampling.Stream(1, 2, 3, 4, 1, 1, is_sorted=True)
    assert [stream.record(visit) for visit in range(8)] == [0, 1, 2, 0, 0, 1, 2, 0]


def test_sorted_patches_are_flipped_and_not_turned(data_dir, records):
    recipe = Recipe(**dict(_AUTHORS, crops="patches", patch_size=2, patches_per_tile=1))
    for features, labels in read(data_dir, 6, recipe=recipe):
        for lr, hr, key in zip(features["lr"], labels["hr"], features["key"]):
            record = next(r for r in records if r["key"].encode() == key)
            for pixels, source, size in ((lr, record["lr_x4"], 2), (hr, record["hr"], 8)):
                windows = np.lib.stride_tricks.as_strided(
                    source,
                    (source.shape[0] - size + 1, source.shape[1] - size + 1, size, size, 3),
                    source.strides[:2] + source.strides,
                )
                forms = [pixels, pixels[:, ::-1], pixels[::-1], pixels[::-1, ::-1]]
                assert any((windows == form).all(axis=(2, 3, 4)).any() for form in forms)


def test_refusals(data_dir, tmp_path):
    with pytest.raises(UserError, match="--crops=whole cannot turn pictures.*--orientations=flips"):
        Recipe(crops="whole")
    with pytest.raises(UserError, match="--degradations is for patches"):
        Recipe(degradations=("jpeg",), **_AUTHORS)
    with pytest.raises(UserError, match="--flip_share must be at most 1"):
        Recipe(flip_share=1.5)
    with pytest.raises(UserError, match="joint cannot put into one batch; give one scale"):
        read(data_dir, 1, (2, 4), Recipe(scale_schedule="joint", **_AUTHORS))
    with pytest.raises(UserError, match="of one size, and .* has 32x32, 48x32; convert"):
        read(write(tmp_path / "sizes", [(32, 32), (32, 48)]), 1)
    with pytest.raises(UserError, match="has 2 of each picture of 56x32; .*--tile_size=56"):
        read(write(tmp_path / "tiles", [_SIZE], tile_size=32), 1)
