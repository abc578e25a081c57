"""Which shard a picture goes to is known from sizes alone; shards are about as large as asked."""

from hypothesis import given
from hypothesis import strategies as st

from data_tools.convert import convert
from data_tools.options import ConversionOptions
from data_tools.shards import expected_bytes, shard_numbers
from tests.support import fabricate

SIZES = [(53, 100), (37, 41), (60, 25), (48, 48), (70, 66), (24, 24)]


def options(**changes):
    given = dict(input_dir="in", patch_size=6, tile_size=36, shard_bytes=30000, workers=1)
    return ConversionOptions("folder", **dict(given, **changes)).complete()


def test_the_bytes_of_pixels_are_counted():
    # One tile of 36x24, scales 2, 3 and 4.
    assert expected_bytes((35, 41), options(tile_size=48, encoding="raw")) == 3 * (
        24 * 36 + 12 * 18 + 8 * 12 + 6 * 9
    )
    whole = options(kind="evaluation", encoding="raw", scales=(2,))
    assert expected_bytes((10, 20), whole) == 3 * (200 + 50)


def test_raw_records_take_what_was_expected(tmp_path):
    fabricate.folder(tmp_path / "in", SIZES)
    given = options(
        input_dir=str(tmp_path / "in"), output_dir=str(tmp_path / "out"), encoding="raw"
    )
    manifest = convert(given).manifest
    expected = sum(expected_bytes(size, given) for size in SIZES)
    # What is not pixels: 500 bytes or so a record.
    assert 0 < manifest.bytes - expected < 600 * manifest.records
    numbers = shard_numbers(SIZES, given)
    held = [len(shard.sizes) for shard in manifest.shards]
    assert held == [numbers.count(number) for number in sorted(set(numbers))]


@given(
    st.lists(st.tuples(st.integers(24, 99), st.integers(24, 99)), min_size=1, max_size=20),
    st.integers(1, 10**5),
)
def test_shards_are_full_but_for_the_last(sizes, shard_bytes):
    given = options(shard_bytes=shard_bytes)
    numbers = shard_numbers(sizes, given)
    assert numbers[0] == 0 and numbers == sorted(numbers)
    before = 0
    for size, number in zip(sizes, numbers):
        assert number * shard_bytes <= before < (number + 1) * shard_bytes
        before += expected_bytes(size, given)
    # What follows does not matter.
    assert shard_numbers(sizes[:3], given) == numbers[:3]
