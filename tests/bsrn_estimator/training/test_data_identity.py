"""Which data a run was trained with, against those it is given now."""

import json

import pytest

from bsrn_estimator.data.manifest import Manifest, Shard
from bsrn_estimator.errors import UserError
from bsrn_estimator.training import data_identity

NOW = {"dataset": "a", "shards": [{"name": "s%d" % n, "records": 3} for n in range(5)]}


@pytest.mark.parametrize("shards", [None, 5, ["s0"]])
def test_a_file_without_shards_lacks_all_of_them(shards):
    listed = data_identity.differences({"dataset": "a", "shards": shards}, NOW)
    assert listed == ["s0 is new", "s1 is new", "s2 is new", "and 2 more shards"]


def test_shards_differ_by_name_and_content():
    before = dict(NOW, dataset="b", shards=NOW["shards"][:3] + [{"name": "s9", "records": 3}])
    before["shards"][1] = {"name": "s1", "records": 4}
    assert data_identity.differences(NOW, NOW) == []
    assert data_identity.differences(before, dict(NOW, shards=NOW["shards"][:3])) == [
        "dataset was b, now a",
        "s1 holds other bytes",
        "s9 is gone",
    ]


def _identity(**changes):
    values = dict(format_version=1, dataset="a", split="train", kind="training", scales=(2, 3))
    values.update(encoding="png", tile_size=48, overlap=12, pictures=2, records=7, skipped=1)
    values["shards"] = (Shard("s0", 3, 10, 77), Shard("s1", 4, 11, 78))
    return data_identity.identity(Manifest(**dict(values, **changes)), order=2)


def test_what_tells_a_data_set_from_another():
    assert _identity() == {
        "dataset": "a",
        "split": "train",
        "scales": [2, 3],
        "encoding": "png",
        "tile_size": 48,
        "overlap": 12,
        "pictures": 2,
        "records": 7,
        "shards": [
            {"name": "s0", "records": 3, "crc32c": 77},
            {"name": "s1", "records": 4, "crc32c": 78},
        ],
        "order": 2,
    }
    # Where it lies, how large its files are, and what was left out, matters to nobody.
    assert _identity(skipped=0, name="b") == _identity()


def test_a_folder_is_bound_to_its_data(tmp_path):
    folder = str(tmp_path)
    data_identity.check(folder, _identity())
    data_identity.save(folder, _identity())
    data_identity.check(folder, _identity())
    other = _identity(records=8, scales=(2,))
    with pytest.raises(UserError) as error:
        data_identity.check(folder, other)
    assert "(scales was [2, 3], now [2]; records was 7, now 8); give the same" in str(error.value)
    data_identity.check(folder, other, allow_change=True)
    (tmp_path / "data.json").write_text(json.dumps([1]))
    with pytest.raises(UserError, match="data.json does not describe a data set"):
        data_identity.check(folder, _identity())


def test_a_field_that_was_not_written_yet_has_its_former_value():
    before = _identity()
    del before["order"]
    assert data_identity.differences(before, dict(_identity(), order=1)) == []
    assert data_identity.differences(before, _identity()) == ["order was None, now 2"]


@pytest.mark.parametrize("count", [3, 4])
def test_only_some_shards_are_listed(count):
    shards = [{"name": "s%d" % n, "records": 3} for n in range(count)]
    listed = data_identity.differences({"shards": []}, {"shards": shards})
    assert listed == ["s0 is new", "s1 is new", "s2 is new", "and 1 more shards"][:count]
