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


_LAST = ("server_list", 0, "device", 7)


@pytest.mark.parametrize(
    "contents, said",
    [
        ("{", "cannot be read"),
        ("[]", "no server_list"),
        ({"group_list": []}, "older form"),
        (_changed(("status",), "initializing"), "initializing"),
        (_changed(("server_count",), "2"), "server_count 2"),
        (_changed(_LAST + ("rank_id",), "6"), "0, 1, 2, 3, 4, 5, 6, 6"),
        (_changed(_LAST + ("rank_id",), "8"), "0 to 7"),
        (_changed(_LAST + ("device_id",), "6"), "device 6 of server 10.0.0.0"),
        (_changed(_LAST + ("device_id",), "9"), "device_id 9 of rank 7"),
        (_changed(_LAST + ("device_id",), "seven"), "seven"),
        (_changed(_LAST + ("device_id",), None), "device_id"),
        (_changed(_LAST + ("device_ip",), "192.168.0.0"), "192.168.0.0 more than once"),
        (_changed(_LAST + ("device_ip",), "192.168.0"), "192.168.0"),
        (_changed(("server_list", 0, "device"), []), "no device"),
        (_changed(("server_list",), 7), "no server_list"),
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
