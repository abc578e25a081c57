"""The rank table: the JSON file by which the NPUs of a training find each other.

As a command, checks one: python3 -m bsrn_estimator.platforms.npu.rank_table FILE [--ranks=8]
"""

import argparse
import dataclasses
import glob
import ipaddress
import sys
from typing import Any, List, Optional, Sequence, Tuple

from bsrn_estimator import files
from bsrn_estimator.errors import UserError

DEVICES_OF_A_SERVER = 8
_DEVICE_FILES = "/dev/davinci[0-9]*"


@dataclasses.dataclass(frozen=True)
class Device:
    """One NPU of a rank table: its server, its number there, its address, its rank."""

    server_id: str
    device_id: int
    device_ip: str
    rank_id: int


def load(path: str) -> Tuple[Device, ...]:
    """The devices of a rank table, by rank.

    Raises:
      UserError: the file cannot be read, is not a rank table of version 1.0, or its ranks are not
        0, 1, 2, ... each once, or two entries name the same device or address.
    """
    table = files.read_json(path)
    if not isinstance(table, dict) or not isinstance(table.get("server_list"), list):
        older = isinstance(table, dict) and "group_list" in table
        raise UserError(
            "rank table %s has no server_list%s; make one of version 1.0 with hccl_tools.py"
            % (path, " (its group_list is the older form)" if older else "")
        )
    _check_status(path, table)
    devices = _devices(path, table["server_list"])
    _check_unique(path, devices)
    return tuple(sorted(devices, key=lambda device: device.rank_id))


def _check_status(path: str, table: Any) -> None:
    status = table.get("status", "completed")
    if status != "completed":
        raise UserError(
            "rank table %s has the status %s, not completed; wait until the job's nodes are ready"
            % (path, status)
        )
    count = str(table.get("server_count", len(table["server_list"])))
    if count != str(len(table["server_list"])):
        raise UserError(
            "rank table %s says server_count %s and lists %d servers; make it anew"
            % (path, count, len(table["server_list"]))
        )


def _devices(path: str, servers: Any) -> List[Device]:
    devices = []
    try:
        for server in servers:
            for entry in server["device"]:
                devices.append(
                    Device(
                        server_id=str(server["server_id"]),
                        device_id=int(entry["device_id"]),
                        device_ip=str(ipaddress.ip_address(entry["device_ip"])),
                        rank_id=int(entry["rank_id"]),
                    )
                )
    except (KeyError, TypeError) as error:
        raise UserError("rank table %s lacks the field %s" % (path, error)) from None
    except ValueError as error:
        raise UserError("rank table %s has a wrong value: %s" % (path, error)) from None
    if not devices:
        raise UserError("rank table %s lists no device" % path)
    return devices


def _check_unique(path: str, devices: Sequence[Device]) -> None:
    ranks = sorted(device.rank_id for device in devices)
    if ranks != list(range(len(devices))):
        raise UserError(
            "rank table %s must give each of the ranks 0 to %d once, and gives %s"
            % (path, len(devices) - 1, ", ".join(map(str, ranks)))
        )
    for device in devices:
        if not 0 <= device.device_id < DEVICES_OF_A_SERVER:
            raise UserError(
                "rank table %s: device_id %d of rank %d is not one of 0 to %d"
                % (path, device.device_id, device.rank_id, DEVICES_OF_A_SERVER - 1)
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
    if server_id is None and len(servers) > 1:
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
