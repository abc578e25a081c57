"""The rank table: the JSON file by which the NPUs of a training find each other.

As a command, checks one: python3 -m bsrn_estimator.platforms.npu.rank_table FILE [--ranks=8]
"""

import argparse
import dataclasses
import glob
import ipaddress
import itertools
import sys
from typing import Any, Iterator, Mapping, Optional, Sequence, Tuple

from bsrn_estimator import files
from bsrn_estimator.errors import UserError

# Where the path of the table is found; ModelArts sets the second, to a table of the newer form.
VARIABLES = ("RANK_TABLE_FILE", "RANK_TABLE_FILE_V_1_0")
_DEVICE_FILES = "/dev/davinci[0-9]*"


@dataclasses.dataclass(frozen=True)
class Device:
    """One NPU of a rank table: its server, its number there, its address, its rank."""

    server_id: str
    device_id: int
    device_ip: str
    rank_id: int


def path_in(environ: Mapping) -> Optional[str]:
    """The path of the rank table that the environment names; None where it names none."""
    return next((environ[name] for name in VARIABLES if environ.get(name)), None)


def load(path: str) -> Tuple[Device, ...]:
    """The devices of a rank table, by rank.

    Args:
      path: a table of version 1.0 (`server_list`), or one of the older form (`group_list`).

    Raises:
      UserError: the file cannot be read, is no rank table, or its ranks are not 0, 1, 2, ... each
        once, or two entries name the same device or address.
    """
    table = files.read_json(path)
    forms = {"server_list": _devices_of_servers, "group_list": _devices_of_groups}
    present = [name for name in forms if isinstance(table, dict) and name in table]
    if len(present) != 1 or not isinstance(table[present[0]], list):
        raise UserError(
            "rank table %s must have one list, server_list (version 1.0) or group_list (the older "
            "form); make one with hccl_tools.py" % path
        )
    _check_status(path, table, present[0])
    try:
        devices = list(forms[present[0]](table))
    except (KeyError, TypeError) as error:
        raise UserError("rank table %s lacks the field %s" % (path, error)) from None
    except ValueError as error:
        raise UserError("rank table %s has a wrong value: %s" % (path, error)) from None
    if not devices:
        raise UserError("rank table %s lists no device" % path)
    _check_unique(path, devices)
    return tuple(sorted(devices, key=lambda device: device.rank_id))


def _check_status(path: str, table: Any, form: str) -> None:
    status = table.get("status", "completed")
    if status != "completed":
        raise UserError(
            "rank table %s has the status %s, not completed; wait until the job's nodes are ready"
            % (path, status)
        )
    name, what = {
        "server_list": ("server_count", "servers"),
        "group_list": ("group_count", "groups"),
    }[form]
    count = str(table.get(name, len(table[form])))
    if count != str(len(table[form])):
        raise UserError(
            "rank table %s says %s %s and lists %d %s; make it anew"
            % (path, name, count, len(table[form]), what)
        )


def _devices_of_servers(table: Any) -> Iterator[Device]:
    for server in table["server_list"]:
        for entry in server["device"]:
            yield _device(server["server_id"], entry, int(entry["rank_id"]))


def _devices_of_groups(table: Any) -> Iterator[Device]:
    """Those of the older form, where an instance is a process with its device or devices.

    A rank is told by `rank_id`, else by the order in the table; a `pod_name` that is a number is
    that of the instance's process, and has to agree.
    """
    ranks = itertools.count()
    for group in table["group_list"]:
        instances = group["instance_list"]
        for instance in instances:
            for entry in instance["devices"]:
                rank = next(ranks)
                told = instance.get("rank_id", entry.get("rank_id", rank))
                pod = str(instance.get("pod_name", ""))
                if len(instance["devices"]) == 1 and pod.isdigit() and int(pod) != int(told):
                    raise ValueError("pod_name %s of rank %s" % (pod, told))
                yield _device(instance["server_id"], entry, int(told))


def _device(server_id: Any, entry: Any, rank: int) -> Device:
    return Device(
        server_id=str(server_id),
        device_id=int(entry["device_id"]),
        device_ip=str(ipaddress.ip_address(entry["device_ip"])),
        rank_id=rank,
    )


def _check_unique(path: str, devices: Sequence[Device]) -> None:
    ranks = sorted(device.rank_id for device in devices)
    if ranks != list(range(len(devices))):
        raise UserError(
            "rank table %s must give each of the ranks 0 to %d once, and gives %s"
            % (path, len(devices) - 1, ", ".join(map(str, ranks)))
        )
    for device in devices:
        # Servers of later cards have sixteen; which of them this one has is for `_check_host`.
        if device.device_id < 0:
            raise UserError(
                "rank table %s: device_id %d of rank %d is below 0"
                % (path, device.device_id, device.rank_id)
            )
    _check_no_pair(path, [(device.server_id, device.device_id) for device in devices], "device")
    _check_no_pair(path, [device.device_ip for device in devices], "device_ip")


def _check_no_pair(path: str, values: Sequence[Any], field: str) -> None:
    pairs = sorted({value for value in values if values.count(value) > 1})
    if pairs:
        value = pairs[0]
        named = "%s %d of server %s" % (field, value[1], value[0]) if field == "device" else value
        raise UserError("rank table %s lists %s more than once" % (path, named))


def of_this_host(
    path: str, ranks: Optional[int] = None, server_id: Optional[str] = None
) -> Tuple[Device, ...]:
    """The devices of a rank table that this host has to serve, checked against the host.

    Args:
      path: the rank table.
      ranks: how many ranks the table must have in all; any number by default.
      server_id: which server this is; needed where the table lists several.

    Raises:
      UserError: see `load`; or the number of ranks is another, the server is not in the table, or
        this host has NPUs but not those of the table.
    """
    devices = load(path)
    if ranks is not None and len(devices) != ranks:
        raise UserError(
            "rank table %s has %d ranks, not %d; give --ranks=%d or another table"
            % (path, len(devices), ranks, len(devices))
        )
    servers = sorted({device.server_id for device in devices})
    if not server_id and len(servers) > 1:
        raise UserError(
            "rank table %s lists the servers %s; say which one this is with --server_id"
            % (path, ", ".join(servers))
        )
    chosen = server_id or servers[0]
    own = tuple(device for device in devices if device.server_id == chosen)
    if not own:
        raise UserError("rank table %s does not list --server_id=%s" % (path, chosen))
    _check_host(path, own)
    return own


def _check_host(path: str, devices: Sequence[Device]) -> None:
    """Compares with the device files of the driver, where there are any."""
    files = glob.glob(_DEVICE_FILES)
    present = {int(name[len("/dev/davinci") :]) for name in files if name[12:].isdigit()}
    absent = [device.device_id for device in devices if device.device_id not in present]
    if present and absent:
        raise UserError(
            "rank table %s names device %s, and this host has %s; make the table on this host"
            % (path, ", ".join(map(str, absent)), ", ".join(map(str, sorted(present))))
        )


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command: prints the ranks of this host, or the fault; returns the exit status."""
    parser = argparse.ArgumentParser(description="Checks a rank table.")
    parser.add_argument("file", help="the rank table (JSON)")
    parser.add_argument("--ranks", type=int, help="how many ranks it must have")
    parser.add_argument("--server_id", help="which server this is, where the table lists several")
    given = parser.parse_args(arguments)
    try:
        for device in of_this_host(given.file, given.ranks, given.server_id):
            print("rank %d: device %d, %s" % (device.rank_id, device.device_id, device.device_ip))
    except UserError as error:
        print("error: %s" % error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
