"""Which data a run was trained with, against those it is given now."""

import pytest

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
