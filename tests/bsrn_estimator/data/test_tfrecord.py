"""TFRecord files against TensorFlow's own writer, and against damage."""

import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsrn_estimator.compat import tf
from bsrn_estimator.data import tfrecord
from bsrn_estimator.data.tfrecord import CorruptRecord
from bsrn_estimator.errors import UserError


@pytest.fixture
def shard(tmp_path):
    path = str(tmp_path / "train-00000-of-00001.tfrecord")
    with tfrecord.ShardWriter(path) as writer:
        for number in range(5):
            writer.write(bytes([number]) * (3 + 50 * number))
    return path


def test_shard_equals_tensorflows_file(tmp_path):
    datas = [b"", b"one", os.urandom(1000)]
    theirs = str(tmp_path / "theirs")
    with tf.io.TFRecordWriter(theirs) as writer:
        for data in datas:
            writer.write(data)
    with tfrecord.ShardWriter(str(tmp_path / "ours")) as writer:
        for data in datas:
            writer.write(data)
    content = (tmp_path / "ours").read_bytes()
    assert content == open(theirs, "rb").read()
    assert writer.shard.records == 3 and writer.shard.bytes == len(content)
    offsets, lengths = tfrecord.index_shard(theirs)
    assert offsets.dtype == lengths.dtype == np.int64
    assert [tfrecord.read_record(theirs, o, n) for o, n in zip(offsets, lengths)] == datas


def test_empty_shard_has_no_records(tmp_path):
    (tmp_path / "empty").write_bytes(b"")
    offsets, lengths = tfrecord.index_shard(str(tmp_path / "empty"))
    assert offsets.shape == lengths.shape == (0,)


def test_writer_leaves_nothing_that_looks_whole(tmp_path):
    path = tmp_path / "shard"
    with pytest.raises(RuntimeError):
        with tfrecord.ShardWriter(str(path)) as writer:
            writer.write(b"half")
            assert not path.exists()
            raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@given(st.data())
def test_a_flipped_byte_is_found_with_its_record(tmp_path_factory, data):
    path = str(tmp_path_factory.mktemp("flip") / "shard")
    with tfrecord.ShardWriter(path) as writer:
        for number in range(3):
            writer.write(bytes(range(10 + number)))
    content = bytearray(open(path, "rb").read())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    open(path, "wb").write(content)
    sizes = [16 + 10 + number for number in range(3)]
    damaged = int(np.searchsorted(np.cumsum(sizes), place, side="right"))
    with pytest.raises(CorruptRecord) as caught:
        for number, (offset, length) in enumerate(zip(*tfrecord.index_shard(path))):
            tfrecord.read_record(path, offset, length, number)
    assert caught.value.record == damaged
    assert path in str(caught.value) and "record %d" % damaged in str(caught.value)


@given(st.integers(1, 300))
def test_a_cut_short_shard_is_found(tmp_path_factory, cut):
    path = str(tmp_path_factory.mktemp("cut") / "shard")
    with tfrecord.ShardWriter(path) as writer:
        sizes = [writer.write(b"x" * 84) or 100 for _ in range(4)]
    os.truncate(path, 400 - cut)
    if cut % 100 == 0:  # a whole record less: only the manifest can tell
        assert len(tfrecord.index_shard(path)[0]) == len(sizes) - cut // 100
    else:
        with pytest.raises(CorruptRecord, match="cut short") as caught:
            tfrecord.index_shard(path)
        assert caught.value.record == (400 - cut) // 100


def test_no_file_stays_open(shard):
    before = len(os.listdir("/proc/self/fd"))
    offsets, lengths = tfrecord.index_shard(shard)
    assert [len(tfrecord.read_record(shard, o, n)) for o, n in zip(offsets, lengths)][-1] == 203
    with pytest.raises(CorruptRecord):
        tfrecord.read_record(shard, offsets[1], lengths[0])
    os.truncate(shard, int(offsets[4]) + 10)
    with pytest.raises(CorruptRecord):
        tfrecord.index_shard(shard)
    assert len(os.listdir("/proc/self/fd")) == before


def test_read_record_of_a_file_cut_after_indexing(shard):
    offsets, lengths = tfrecord.index_shard(shard)
    os.truncate(shard, int(offsets[4]) + 10)
    with pytest.raises(CorruptRecord, match="cut short"):
        tfrecord.read_record(shard, offsets[4], lengths[4])
    with pytest.raises(UserError, match="nowhere"):
        tfrecord.read_record(shard + "nowhere", 0, 1)
