"""The rank table check: what it takes, and a sentence for each fault."""

import copy
import json

import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.npu import rank_table


def table(ranks=8, servers=1):
    """A table as hccl_tools.py writes it, `ranks` on each of `servers`."""
    return {
        "server_count": str(servers),
        "server_list": [
            {
                "server_id": "10.0.0.%d" % server,
                "device": [
                    {
                        "device_id": str(index),
                        "device_ip": "192.168.%d.%d" % (server, index),
                        "rank_id": str(server * ranks + index),
                    }
                    for index in range(ranks)
                ],
            }
            for server in range(servers)
        ],
        "status": "completed",
        "version": "1.0",
    }


@pytest.fixture
def saved(tmp_path):
    def save(contents):
        path = tmp_path / "ranks.json"
        path.write_text(contents if isinstance(contents, str) else json.dumps(contents))
        return str(path)

    return save


def test_eight_ranks_in_order_of_rank(saved):
    shuffled = table()
    shuffled["server_list"][0]["device"].reverse()
    devices = rank_table.load(saved(shuffled))
    assert [device.rank_id for device in devices] == list(range(8))
    assert devices[3] == rank_table.Device("10.0.0.0", 3, "192.168.0.3", 3)


def _changed(path, value):
    changed = copy.deepcopy(table())
    entry = changed
    for key in path[:-1]:
        entry = entry[key]
    if value is None:
        del entry[path[-1]]
    else:
        entry[path[-1]] = value
    return changed


def older(ranks=2, **changes):
    """A table of the older form, as ModelArts writes it: an instance for each process."""
    instances = [
        {
            "devices": [{"device_id": str(rank), "device_ip": "192.168.0.%d" % rank}],
            "rank_id": str(rank),
            "server_id": "10.0.0.0",
            "pod_name": str(rank),
        }
        for rank in range(ranks)
    ]
    group = {"instance_count": str(ranks), "instance_list": instances, "group_name": "bsrn"}
    return dict({"group_count": "1", "group_list": [group], "status": "completed"}, **changes)


def test_the_older_form_says_the_same(saved):
    assert rank_table.load(saved(older(3))) == tuple(
        rank_table.Device("10.0.0.0", rank, "192.168.0.%d" % rank, rank) for rank in range(3)
    )
    with_two_devices = older(1)
    (instance,) = with_two_devices["group_list"][0]["instance_list"]
    del instance["rank_id"], instance["pod_name"]
    instance["devices"].append({"device_id": "5", "device_ip": "192.168.0.5"})
    found = rank_table.load(saved(with_two_devices))
    assert [(device.rank_id, device.device_id) for device in found] == [(0, 0), (1, 5)]
    contradicting = older(2)
    contradicting["group_list"][0]["instance_list"][1]["pod_name"] = "0"
    with pytest.raises(UserError, match="pod_name 0 of rank 1"):
        rank_table.load(saved(contradicting))
    with pytest.raises(UserError, match="initializing"):
        rank_table.load(saved(older(status="initializing")))


def test_sixteen_cards_of_a_server(saved):
    assert [device.device_id for device in rank_table.load(saved(table(16)))] == list(range(16))


def test_the_variables_that_name_a_table():
    assert rank_table.path_in({}) is None
    assert rank_table.path_in({"RANK_TABLE_FILE": "", "RANK_TABLE_FILE_V_1_0": "b"}) == "b"
    assert rank_table.path_in({"RANK_TABLE_FILE": "a", "RANK_TABLE_FILE_V_1_0": "b"}) == "a"


_LAST = ("server_list", 0, "device", 7)


@pytest.mark.parametrize(
    "contents, said",
    [
        ("{", "cannot be read"),
        ("[]", "server_list (version 1.0) or group_list"),
        ({"group_list": [], "server_list": []}, "must have one list"),
        ({"group_list": []}, "no device"),
        ({"group_list": [{}]}, "instance_list"),
        ({"group_list": [], "group_count": "2"}, "group_count 2 and lists 0 groups"),
        (_changed(("status",), "initializing"), "initializing"),
        (_changed(("server_count",), "2"), "server_count 2"),
        (_changed(_LAST + ("rank_id",), "6"), "0, 1, 2, 3, 4, 5, 6, 6"),
        (_changed(_LAST + ("rank_id",), "8"), "0 to 7"),
        (_changed(_LAST + ("device_id",), "6"), "device 6 of server 10.0.0.0"),
        (_changed(_LAST + ("device_id",), "-9"), "device_id -9 of rank 7"),
        (_changed(_LAST + ("device_id",), "seven"), "seven"),
        (_changed(_LAST + ("device_id",), None), "device_id"),
        (_changed(_LAST + ("device_ip",), "192.168.0.0"), "192.168.0.0 more than once"),
        (_changed(_LAST + ("device_ip",), "192.168.0"), "192.168.0"),
        (_changed(("server_list", 0, "device"), []), "no device"),
        (_changed(("server_list",), 7), "server_list (version 1.0)"),
    ],
)
def test_each_fault_is_named(saved, contents, said):
    path = saved(contents)
    with pytest.raises(UserError) as refused:
        rank_table.load(path)
    assert path in str(refused.value)
    assert said in str(refused.value)


def test_number_of_ranks_and_server(saved):
    path = saved(table(ranks=4, servers=2))
    with pytest.raises(UserError, match="has 8 ranks, not 4"):
        rank_table.of_this_host(path, ranks=4)
    with pytest.raises(UserError, match="--server_id"):
        rank_table.of_this_host(path)
    with pytest.raises(UserError, match="does not list --server_id=10.0.0.9"):
        rank_table.of_this_host(path, server_id="10.0.0.9")
    own = rank_table.of_this_host(path, ranks=8, server_id="10.0.0.1")
    assert [(device.rank_id, device.device_id) for device in own] == [
        (4, 0),
        (5, 1),
        (6, 2),
        (7, 3),
    ]


def test_device_files_of_this_host(saved, monkeypatch):
    path = saved(table(ranks=2))
    files = ["/dev/davinci0", "/dev/davinci4", "/dev/davinci_manager"]
    monkeypatch.setattr(rank_table.glob, "glob", lambda _pattern: files)
    with pytest.raises(UserError, match="names device 1, and this host has 0, 4"):
        rank_table.of_this_host(path)
    files[1] = "/dev/davinci1"
    assert len(rank_table.of_this_host(path)) == 2


def test_the_command(saved, capsys):
    path = saved(table(ranks=2))
    assert rank_table.main([path, "--ranks=2"]) == 0
    assert "rank 1: device 1, 192.168.0.1" in capsys.readouterr().out
    assert rank_table.main([path, "--ranks=8"]) == 2
    assert capsys.readouterr().err.startswith("error: rank table")
