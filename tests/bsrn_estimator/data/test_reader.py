"""Reading by number, and what becomes of damaged data sets."""

import dataclasses
import os
import shutil
import threading

import pytest

from bsrn_estimator.data.example import decode_example
from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.data.reader import CorruptRecords, RecordReader
from bsrn_estimator.data.tfrecord import CorruptRecord
from bsrn_estimator.errors import UserError
from tests.support import tiles


@pytest.fixture
def data_dir(tmp_path):
    return tiles.write_coordinates(tmp_path / "data", shards=3, patch_size=6)


def reader(data_dir, **options):
    return RecordReader(data_dir, (2, 4), "training", 6, **options)


def key(data):
    return int(decode_example(data)["image/key"][0])


def test_records_are_found_by_number(data_dir):
    reads = reader(data_dir)
    assert reads.manifest.records == len(tiles.SIZES)
    for number in (6, 0, 3, 2, 5, 1, 4, 6):
        assert key(reads.read(number)) == number


def test_data_that_cannot_serve_are_named(data_dir):
    with pytest.raises(UserError) as error:
        RecordReader(data_dir, (8,), "training")
    assert str(error.value).startswith("%s has no LR pictures for scale 8, only for " % data_dir)


def test_several_threads_read_at_a_time(data_dir):
    reads, wrong = reader(data_dir), []

    def read(first):
        for number in range(first, first + 50):
            if key(reads.read(number % 7)) != number % 7:
                wrong.append(number)

    threads = [threading.Thread(target=read, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_flipped_byte_is_named_by_file_and_record(data_dir):
    path, record = tiles.spoil(data_dir, 4)
    with pytest.raises(CorruptRecord, match="%s, record %d" % (path, record)):
        reader(data_dir).read(4)


def test_a_corrupt_record_is_replaced_by_the_next(data_dir):
    paths = [tiles.spoil(data_dir, number)[0] for number in (4, 5)]
    reads = reader(data_dir, corrupt=CorruptRecords(0.3))
    assert [key(reads.read(number)) for number in (4, 5, 4, 6, 3)] == [6, 6, 6, 6, 3]
    assert reads.corrupt.total == 2
    assert reads.corrupt.by_file == {paths[0]: 1, paths[1]: 1}


def test_after_the_last_record_comes_the_first(data_dir):
    tiles.spoil(data_dir, 6)
    reads = reader(data_dir, corrupt=CorruptRecords(0.2))
    assert key(reads.read(6)) == 0


def test_too_many_corrupt_records_end_it(data_dir):
    for number in (1, 3):
        tiles.spoil(data_dir, number)
    reads = reader(data_dir, corrupt=CorruptRecords(0.2))
    reads.read(1)
    with pytest.raises(UserError, match="2 of the 7 records of .* --max_corrupt_share=0.2"):
        reads.read(3)


def test_a_damaged_header_costs_the_rest_of_its_shard(data_dir):
    path, _ = tiles.spoil(data_dir, 1, "length")
    with pytest.raises(CorruptRecord, match=path + ", record 1"):
        reader(data_dir)
    counted = CorruptRecords(0.3)
    reads = reader(data_dir, corrupt=counted)
    assert [key(reads.read(number)) for number in range(7)] == [0, 3, 3, 3, 4, 5, 6]
    assert counted.by_file == {path: 2}


def test_a_shard_cut_short(data_dir):
    path = os.path.join(data_dir, Manifest.load(data_dir).shards[2].name)
    os.truncate(path, os.path.getsize(path) - 3)
    with pytest.raises(UserError, match=path):
        reader(data_dir)
    reads = reader(data_dir, corrupt=CorruptRecords(0.2))
    assert key(reads.read(6)) == 0
    os.truncate(path, 100)
    with pytest.raises(UserError, match="2 of the 7 records .* are corrupt"):
        reader(data_dir, corrupt=CorruptRecords(0.2))


def test_a_shard_cut_short_while_it_is_read(data_dir):
    path = os.path.join(data_dir, Manifest.load(data_dir).shards[2].name)
    reads = reader(data_dir)
    os.truncate(path, 100)
    with pytest.raises(CorruptRecord, match=path + ", record 1: the file is cut short"):
        reads.read(6)


@pytest.mark.parametrize("skip_corrupt", [False, True])
def test_a_missing_shard(data_dir, skip_corrupt):
    path = os.path.join(data_dir, Manifest.load(data_dir).shards[1].name)
    os.remove(path)
    with pytest.raises(UserError, match=path):
        reader(data_dir, corrupt=CorruptRecords() if skip_corrupt else None)


def test_a_foreign_shard(data_dir):
    path = os.path.join(data_dir, Manifest.load(data_dir).shards[1].name)
    foreign = os.path.join(data_dir, "train-00003-of-00004.tfrecord")
    shutil.copy(path, foreign)
    with pytest.raises(UserError, match=foreign):
        reader(data_dir)


def test_another_shard_in_the_place_of_one(data_dir):
    manifest = Manifest.load(data_dir)
    shards = list(manifest.shards)
    shards[0] = dataclasses.replace(shards[0], records=shards[0].records - 1)
    shards[1] = dataclasses.replace(shards[1], records=shards[1].records + 1)
    dataclasses.replace(manifest, shards=tuple(shards)).save(data_dir)
    with pytest.raises(UserError, match="%s holds 3 records" % shards[0].name):
        reader(data_dir)


def test_the_manifest_must_suit_the_reader(data_dir):
    with pytest.raises(UserError, match="scale 8"):
        RecordReader(data_dir, (2, 8), "training")
    with pytest.raises(UserError, match="evaluation"):
        RecordReader(data_dir, (2,), "evaluation")
    with pytest.raises(UserError, match="patch_size=7"):
        RecordReader(data_dir, (2,), "training", 7)
    with pytest.raises(UserError, match="has no manifest.json"):
        RecordReader(data_dir + "_", (2,), "training")


def test_no_records(tmp_path):
    data_dir = tiles.write_coordinates(tmp_path, shards=1)
    manifest = Manifest.load(data_dir)
    os.remove(os.path.join(data_dir, manifest.shards[0].name))
    dataclasses.replace(manifest, shards=(), records=0).save(data_dir)
    with pytest.raises(UserError, match="holds no records"):
        RecordReader(data_dir, (2,), "training")
