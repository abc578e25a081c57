"""No patch position is lost, and every tile registers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsrn_estimator import scales
from bsrn_estimator.errors import UserError
from data_tools.options import ConversionOptions
from data_tools.tiles import common_multiple, default_tile_size, least_overlap, starts, tiles_of

scale_sets = st.lists(st.sampled_from(scales.SUPPORTED), min_size=1, unique=True).map(
    lambda scales: tuple(sorted(scales))
)


@given(scale_sets, st.integers(1, 9), st.integers(1, 4), st.integers(0, 30))
def test_every_patch_position_lies_in_a_tile(scales, patch, extra, more):
    multiple = common_multiple(scales)
    overlap = least_overlap(patch, scales)
    tile = overlap + extra * multiple
    length = (-(-patch * max(scales) // multiple) + more) * multiple
    begins = starts(length, tile, overlap)
    assert all(begin % multiple == 0 for begin in begins)
    assert begins == sorted(set(begins)) and begins[-1] + min(tile, length) == length
    for scale in scales:
        for y in range(0, length - patch * scale + 1, scale):
            assert any(
                begin <= y and y + patch * scale <= begin + min(tile, length) for begin in begins
            )


@pytest.mark.parametrize("patch, scales", [(48, (2, 3, 4)), (48, (4,)), (7, (2, 3)), (5, (8,))])
def test_the_overlap_is_the_least_one(patch, scales):
    multiple, overlap = common_multiple(scales), least_overlap(patch, scales)
    tile = overlap + multiple
    length = tile + 3 * multiple
    # With tiles one multiple further apart some position is lost.
    begins = range(0, length - tile + 1, 2 * multiple)
    scale = max(scales)
    lost = [
        y
        for y in range(0, length - patch * scale + 1, scale)
        if not any(b <= y and y + patch * scale <= b + tile for b in begins)
    ]
    assert lost


def test_tiles_of_pictures_of_any_size():
    assert least_overlap(48, (2, 3, 4)) == 192
    assert list(tiles_of((53, 100), 48, 12, (2, 3, 4))) == [
        (0, 0, 48, 48),
        (0, 36, 48, 48),
        (0, 48, 48, 48),
    ]
    assert list(tiles_of((35, 47), 48, 12, (2, 3, 4))) == [(0, 0, 24, 36)]
    tiles = list(tiles_of((1356, 2040), 480, 192, (2, 3, 4)))
    assert len(tiles) == 5 * 7 and tiles[-1] == (876, 1560, 480, 480)


def test_default_tile_size():
    assert default_tile_size(48, (2, 3, 4)) == 480
    assert default_tile_size(24, (2,)) == 480
    assert default_tile_size(48, (2, 3, 4, 8)) == 960
    options = ConversionOptions("folder", "in", "out").complete()
    assert (options.tile_size, options.overlap, options.kind) == (480, 192, "training")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"dataset": "cifar"}, "--dataset takes div2k or"),
        ({"input_dir": None}, "--input_dir is needed"),
        ({"scales": ()}, "not nothing"),
        ({"scales": (3, 2)}, "ascending order, not 3,2"),
        ({"scales": (5,)}, "of 2, 3, 4, 8"),
        ({"kind": "both"}, "--kind takes training or evaluation"),
        ({"split": "all"}, "--split takes train or valid or test, not all"),
        ({"encoding": "jpeg"}, "--encoding takes png or raw"),
        ({"patch_size": 0}, "--patch_size must be at least 1"),
        ({"workers": -1}, "--workers must be at least 0"),
        ({"workers": 1000}, "--workers must be at most 256"),
        ({"tile_size": 490}, "multiple of 12, .*; take 492"),
        ({"tile_size": 192}, "at least 204, better 480"),
        ({"tile_size": -12}, "too small"),
    ],
)
def test_options_out_of_range(change, message):
    with pytest.raises(UserError, match=message):
        ConversionOptions(**dict(dict(dataset="folder", input_dir="in"), **change)).complete()


def test_defaults_by_dataset():
    def of(dataset, **changes):
        options = ConversionOptions(dataset, "pictures/Set5/", **changes).complete()
        return options.split, options.kind, options.output_dir

    assert of("div2k") == ("train", "training", "tfrecords/div2k_train")
    assert of("div2k", split="valid") == ("valid", "evaluation", "tfrecords/div2k_valid")
    assert of("bsd100") == ("test", "evaluation", "tfrecords/bsd100")
    assert of("benchmark") == ("test", "evaluation", "tfrecords/Set5")
    # The folder that says HR does not say which set it is.
    inner = ConversionOptions("folder", "pictures/Set5/HR", kind="evaluation").complete()
    assert inner.output_dir == "tfrecords/Set5"
    assert of("folder", split="test") == ("test", "training", "tfrecords/Set5")
    assert of("tfds", output_dir="o") == ("train", "training", "o")
    whole = ConversionOptions("bsd100", "in", patch_size=48).complete()
    assert (whole.tile_size, whole.overlap, whole.patch_size) == (0, 0, 0)
