"""Manifests: saved and loaded, of another make, without their shards, for other needs."""

import contextlib
import dataclasses
import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsrn_estimator.data.manifest import Manifest, Shard
from bsrn_estimator.errors import UserError


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


def test_a_manifest_from_before_degraded_sets_is_of_a_clean_one():
    values = manifest(degrade="jpeg:75").to_dict()
    assert Manifest.from_dict(values).degrade == "jpeg:75"
    del values["degrade"]
    assert Manifest.from_dict(values) == manifest()


def test_the_name_of_a_set():
    assert manifest(name="Set 5").name_in("tfrecords/other") == "Set 5"
    # Those of an earlier version have none.
    old = Manifest.from_dict({k: v for k, v in manifest().to_dict().items() if k != "name"})
    assert old.name_in("tfrecords/set5/") == "set5"
    assert [old.name_in(folder) for folder in ("a/Set5/HR", "/", "/HR")] == ["Set5", "div2k", "HR"]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"format_version": 3}, "version 3, this program reads versions up to 2"),
        ({"format_version": 0}, "version 0"),
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
        ({"degrade": 75}, "degrade cannot be 75"),
    ],
)
def test_manifest_of_another_make_is_refused(tmp_path, change, message):
    values = dict(manifest().to_dict(), **change)
    (tmp_path / "manifest.json").write_text(json.dumps(values))
    with pytest.raises(UserError, match=message) as caught:
        Manifest.load(str(tmp_path))
    assert "manifest.json" in str(caught.value)


SHARD = dict(name="train-00000-of-00001.tfrecord", records=5, bytes=10, crc32c=7)


def of_version_2(**changes):
    """Two pictures of four tiles and of one, as JSON holds them."""
    values = dict(
        format_version=2,
        tile_size=36,
        overlap=24,
        patch_size=8,
        shards=[dict(SHARD, sizes=["50x53", "24x30"])],
    )
    return dict(manifest().to_dict(), **dict(values, **changes))


def test_sizes_round_trip():
    loaded = Manifest.from_dict(of_version_2())
    assert loaded.shards[0].picture_sizes == [(53, 50), (30, 24)]
    assert Manifest.from_dict(json.loads(json.dumps(loaded.to_dict()))) == loaded
    pictures = Manifest.from_dict(
        of_version_2(
            kind="evaluation", records=2, shards=[dict(SHARD, records=2, sizes=["5x7", "7x5"])]
        )
    )
    assert pictures.shards[0].picture_sizes == [(7, 5), (5, 7)]


@pytest.mark.parametrize(
    "change, message",
    [
        ({"pictures": 3}, "counts 3 pictures, and tells the sizes of 2"),
        ({"overlap": 12}, "its tiles overlap by 12"),
        ({"patch_size": 0}, "its tiles overlap by 24"),
        ({"tile_size": 24}, "its tiles measure 24"),
        ({"tile_size": 40}, "its tiles measure 40"),
        (
            {"shards": [dict(SHARD, sizes=["50x53", "50x53"])]},
            "holds 5 records, its pictures give 8",
        ),
        ({"shards": [dict(SHARD, sizes=["50x53", "23x99"])]}, "its pictures give 4"),
        ({"shards": [dict(SHARD, sizes=["50x53", "24"])]}, "a picture measures '24'"),
        ({"shards": [dict(SHARD, sizes=["50x53", "0x24"])]}, "a picture measures '0x24'"),
        ({"shards": [dict(SHARD, sizes=["50x53", "99999999x1"])]}, "a picture measures"),
        ({"shards": [dict(SHARD, sizes=[3, [4]])]}, "a picture measures 3"),
        ({"shards": [dict(SHARD, sizes=7)]}, "is damaged"),
        ({"shards": [dict(SHARD, sizes="ab")]}, "a picture measures 'a'"),
        ({"shards": [3]}, "is damaged"),
        ({"shards": [SHARD]}, "tells the sizes of 0"),
    ],
)
def test_sizes_that_contradict_the_rest_are_refused(change, message):
    with pytest.raises(UserError, match=message):
        Manifest.from_dict(of_version_2(**change))


@given(st.recursive(st.none() | st.integers() | st.text(max_size=3), st.lists, max_leaves=4))
def test_manifest_survives_any_json(value):
    for field in [f.name for f in dataclasses.fields(Manifest)]:
        for values in (manifest().to_dict(), of_version_2()):
            with contextlib.suppress(UserError):
                Manifest.from_dict(dict(values, **{field: value}))
    with contextlib.suppress(UserError):
        Manifest.from_dict(of_version_2(shards=[dict(SHARD, sizes=value)]))


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
