"""The record format against TensorFlow's own writer, and against damage."""

import dataclasses
import io
import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bsrn_estimator.compat import tf
from bsrn_estimator.data import parsing, records, tfrecord
from bsrn_estimator.data.example import decode_example, encode_example
from bsrn_estimator.data.manifest import ENCODINGS, Manifest, Shard
from bsrn_estimator.data.tfrecord import CorruptRecord
from bsrn_estimator.errors import UserError


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def picture(height, width, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8)


def example(encoding, key="0001_y0012_x0006"):
    hr, lr = picture(18, 30), {2: picture(9, 15, 2), 3: picture(6, 10, 3)}
    encode = png if encoding == "png" else np.ndarray.tobytes
    return (
        hr,
        lr,
        encode_example(
            records.image_features(
                key,
                "0001",
                encoding,
                (12, 6),
                (encode(hr), 18, 30),
                {scale: (encode(lr[scale]),) + lr[scale].shape[:2] for scale in lr},
            )
        ),
    )


@pytest.fixture
def shard(tmp_path):
    path = str(tmp_path / "train-00000-of-00001.tfrecord")
    with tfrecord.ShardWriter(path) as writer:
        for number in range(5):
            writer.write(bytes([number]) * (3 + 50 * number))
    return path


def test_example_is_what_tensorflow_reads_and_writes():
    values = {"a": b"\x00bytes", "empty": b"", "b": 0, "large": 2**62, "negative": -3}
    read = tf.train.Example.FromString(encode_example(values)).features.feature
    assert {name: list(read[name].bytes_list.value) for name in ("a", "empty")} == {
        "a": [b"\x00bytes"],
        "empty": [b""],
    }
    assert [read[n].int64_list.value[0] for n in ("b", "large", "negative")] == [0, 2**62, -3]

    theirs = tf.train.Example()
    theirs.features.feature["n"].int64_list.value.extend([1, -1, 2**40])
    theirs.features.feature["s"].bytes_list.value.extend([b"x", b"yz"])
    theirs.features.feature["f"].float_list.value.extend([1.5])
    assert decode_example(theirs.SerializeToString()) == {
        "n": [1, -1, 2**40],
        "s": [b"x", b"yz"],
        "f": [],
    }


def test_example_bytes_do_not_depend_on_the_order_of_the_features():
    assert encode_example({"b": 1, "a": b"2"}) == encode_example({"a": b"2", "b": 1})


@given(st.binary(max_size=200))
def test_decode_example_survives_any_bytes(data):
    try:
        decode_example(data)
    except ValueError:
        pass


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


def test_read_record_of_a_file_cut_after_indexing(shard):
    offsets, lengths = tfrecord.index_shard(shard)
    os.truncate(shard, int(offsets[4]) + 10)
    with pytest.raises(CorruptRecord, match="cut short"):
        tfrecord.read_record(shard, offsets[4], lengths[4])
    with pytest.raises(UserError, match="nowhere"):
        tfrecord.read_record(shard + "nowhere", 0, 1)


def test_parse_and_decode_in_the_graph():
    with tf.Graph().as_default(), tf.Session() as session:
        serialized = tf.placeholder(tf.string, [])
        parsed = parsing.parse(serialized, (2, 3))
        pictures = {
            name: parsing.decode_picture(parsed[name + "/encoded"], parsed["format"], height, width)
            for name, height, width in (
                ("hr", parsed["height"], parsed["width"]),
                ("lr_x2", parsed["lr_x2/height"], parsed["lr_x2/width"]),
                ("lr_x3", parsed["lr_x3/height"], parsed["lr_x3/width"]),
            )
        }
        assert not [o for o in session.graph.get_operations() if "PyFunc" in o.type]
        for encoding in ENCODINGS:
            hr, lr, data = example(encoding)
            got, rest = session.run([pictures, parsed], {serialized: data})
            np.testing.assert_array_equal(got["hr"], hr)
            np.testing.assert_array_equal(got["lr_x2"], lr[2])
            np.testing.assert_array_equal(got["lr_x3"], lr[3])
            assert (rest["key"], rest["name"], rest["y"], rest["x"]) == (
                b"0001_y0012_x0006",
                b"0001",
                12,
                6,
            )
            known = parsing.decode_picture(parsed["hr/encoded"], encoding, 18, 30)
            np.testing.assert_array_equal(session.run(known, {serialized: data}), hr)
        wrong = parsing.decode_picture(parsed["hr/encoded"], "raw", 18, 29)
        with pytest.raises(tf.errors.InvalidArgumentError):
            session.run(wrong, {serialized: data})


def manifest(**changes):
    values = dict(
        format_version=1,
        dataset="div2k",
        split="train",
        kind="training",
        scales=(2, 3),
        encoding="png",
        tile_size=48,
        overlap=12,
        pictures=2,
        records=5,
        skipped=0,
        shards=(Shard("train-00000-of-00001.tfrecord", 5, 10, 7),),
        patch_size=8,
    )
    values.update(changes)
    return Manifest(**values)


def test_manifest_round_trip(tmp_path):
    (tmp_path / "train-00000-of-00001.tfrecord").write_bytes(b"0123456789")
    manifest().save(str(tmp_path))
    assert Manifest.load(str(tmp_path)) == manifest()
    assert sorted(os.listdir(str(tmp_path))) == ["manifest.json", "train-00000-of-00001.tfrecord"]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"format_version": 2}, "version 2"),
        ({"format_version": None}, "does not hold a manifest"),
        ({"records": 6}, "counts 6 records"),
        ({"records": "5"}, "records cannot be '5'"),
        ({"kind": "other"}, "unknown kind"),
        ({"scales": []}, "scales"),
        ({"scales": ["2"]}, "scales"),
        ({"shards": [{"name": "a"}]}, "no field records"),
        ({"shards": 3}, "damaged"),
        ({"shards": [{"name": "../a", "records": 5, "bytes": 1, "crc32c": 1}]}, "called"),
        ({"color": 1}, "unknown field color"),
    ],
)
def test_manifest_of_another_make_is_refused(tmp_path, change, message):
    values = dict(manifest().to_dict(), **change)
    (tmp_path / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match=message) as caught:
        Manifest.load(str(tmp_path))
    assert "manifest.json" in str(caught.value)


@given(st.recursive(st.none() | st.integers() | st.text(max_size=3), st.lists, max_leaves=4))
def test_manifest_survives_any_json(value):
    for field in [f.name for f in dataclasses.fields(Manifest)]:
        try:
            Manifest.from_dict(dict(manifest().to_dict(), **{field: value}))
        except UserError:
            pass


def test_missing_and_short_shards_are_named(tmp_path):
    with pytest.raises(UserError, match="no manifest.json"):
        Manifest.load(str(tmp_path))
    manifest().save(str(tmp_path))
    with pytest.raises(UserError, match="train-00000-of-00001.tfrecord is missing"):
        Manifest.load(str(tmp_path))
    (tmp_path / "train-00000-of-00001.tfrecord").write_bytes(b"012345678")
    with pytest.raises(UserError, match="9 bytes where its manifest says 10"):
        Manifest.load(str(tmp_path))
    (tmp_path / "manifest.json").write_text("[" * 100000)
    with pytest.raises(UserError, match="cannot be read"):
        Manifest.load(str(tmp_path))


def test_require():
    manifest().require(scales=(2, 3), kind="training", patch_size=8, source="d")
    manifest(patch_size=0).require(patch_size=99)
    for wanted, message in [
        (dict(scales=(2, 4, 8)), r"d has no LR pictures for scale 4,8, only for 2,3; .*2,4,8"),
        (dict(kind="evaluation"), "d holds training data, not evaluation data; .*--kind=eval"),
        (dict(patch_size=9), "d was converted for LR patches of up to 8 .*--patch_size=9"),
    ]:
        with pytest.raises(UserError, match=message):
            manifest().require(source="d", **wanted)
