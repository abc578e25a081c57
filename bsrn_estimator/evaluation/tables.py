"""Figures of several sets and networks as one table, as papers have it: for people, and as CSV."""

import csv
import io
import os
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from bsrn_estimator import files
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation import metrics, protocols, report
from bsrn_estimator.networks.base import Network

# Of a metrics.json, for each row of a CSV.
_OF_SET = ("global_step", "records", "precision", "grey", "result", "pictures")
_HEAD = ("scale", "network", "parameters", "multiply-adds")


class Compared(NamedTuple):
    """The names of PSNR and SSIM that a table shows, of a network and of bicubic."""

    network: Tuple[str, str]
    bicubic: Tuple[str, str]


_OURS = Compared((metrics.PSNR_Y, metrics.SSIM_Y), (report.BICUBIC_PSNR_Y, report.BICUBIC_SSIM_Y))


class Measured(NamedTuple):
    """A network and what was measured of it.

    Attributes:
      name: what the network is called.
      network: its form, for the cost.
      sets: the metrics.json of each evaluation, by the name of the set in the table.
    """

    name: str
    network: Network
    sets: Mapping[str, Dict[str, Any]]

    def at(self, name: str, scale: int) -> Optional[Dict[str, Any]]:
        """The figures of a set at a scale, None where there are none."""
        return self.sets[name]["scales"].get(str(scale)) if name in self.sets else None

    def cost(self, scale: int) -> int:
        """Multiply-adds of its result, for a picture of 1280 x 720."""
        return self.network.multiply_adds(scale, form=self.network.result)


def text(measured: Sequence[Measured]) -> str:
    """The table for the terminal: a row for each scale and network, a column for each set; and one
    more for each further protocol."""
    return "\n\n".join(
        "\n".join([title] + _aligned(_rows(measured, figures)))
        for title, figures in _tables(measured)
    )


def markdown(measured: Sequence[Measured]) -> str:
    """The same in Markdown."""
    tables = []
    for title, figures in _tables(measured):
        rows = [[cell.replace("|", "\\|") for cell in row] for row in _rows(measured, figures)]
        rows.insert(1, ["---"] * len(rows[0]))
        lines = ["| " + " | ".join(row) + " |" for row in rows]
        tables.append("\n".join([title, ""] + lines) + "\n")
    return "\n".join(tables)


def comma_separated(measured: Sequence[Measured]) -> str:
    """A row for each network, set and scale, with all mean figures, at full precision."""
    rows: List[Dict[str, Any]] = []
    for one in measured:
        for name, content in one.sets.items():
            for scale, entry in content["scales"].items():
                row = {"network": one.name, "set": name, "scale": int(scale)}
                row["weights"] = content.get("weights", {}).get("digest")
                row.update((key, content.get(key)) for key in _OF_SET)
                row["parameters"] = one.network.parameters()
                row["multiply_adds"] = one.cost(int(scale))
                row.update((k, v) for k, v in entry.items() if not isinstance(v, dict))
                rows.append(row)
    names = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def save(measured: Sequence[Measured], folder: str, name: str) -> None:
    """Writes `folder`/`name`.md and .csv, each whole or not at all.

    Raises:
      UserError: they cannot be written.
    """
    for ending, content in ((".md", markdown(measured)), (".csv", comma_separated(measured))):
        path = os.path.join(folder, name + ending)
        try:
            os.makedirs(folder, exist_ok=True)
            with files.written_whole(path) as file:
                file.write(content)
        except OSError as error:
            raise UserError("%s cannot be written: %s" % (path, error.strerror)) from None


def _sets(measured: Sequence[Measured]) -> List[str]:
    return list(dict.fromkeys(name for one in measured for name in one.sets))


def _tables(measured: Sequence[Measured]) -> List[Tuple[str, Compared]]:
    """What stands over each table, and what it compares: this project's, then other protocols'."""
    found = [(_title(measured), _OURS)]
    named = {
        name: None
        for one in measured
        for content in one.sets.values()
        for name in content.get("protocols", {})
    }
    for name in named:
        psnr, ssim = protocols.PROTOCOLS[name].compared
        network, bicubic = (
            (protocols.figure(name, psnr, of_bicubic), protocols.figure(name, ssim, of_bicubic))
            for of_bicubic in (False, True)
        )
        found.append((report.protocol_title(name) + ":", Compared(network, bicubic)))
    return found


def _aligned(rows: List[List[str]]) -> List[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*rows)]
    return ["  ".join(cell.ljust(n) for cell, n in zip(row, widths)).rstrip() for row in rows]


def _rows(measured: Sequence[Measured], figures: Compared) -> List[List[str]]:
    """The header, and the rows of each scale: bicubic, then the networks."""
    sets = _sets(measured)
    rows = [list(_HEAD) + [_headed(measured, name) for name in sets]]
    scales = {int(s) for one in measured for found in one.sets.values() for s in found["scales"]}
    for scale in sorted(scales):
        entries = {
            name: next(filter(None, (one.at(name, scale) for one in measured)), None)
            for name in sets
        }
        cells = [report.pair(entries[name], *figures.bicubic) for name in sets]
        rows.append(["x%d" % scale, "bicubic", "", ""] + cells)
        for one in measured:
            own = [one.at(name, scale) for name in sets]
            if any(own):
                cost = "%.1f G" % (one.cost(scale) / 1e9)
                row = ["x%d" % scale, one.name, f"{one.network.parameters():,}", cost]
                rows.append(row + [report.pair(entry, *figures.network) for entry in own])
    return rows


def _headed(measured: Sequence[Measured], name: str) -> str:
    """The head of a column: the set, and how many pictures it has."""
    found = next(one.sets[name] for one in measured if name in one.sets)
    return "%s (%d)" % (name, found["pictures"])


def _title(measured: Sequence[Measured]) -> str:
    contents = [content for one in measured for content in one.sets.values()]
    shave = "shave = scale, " if all(map(report.shave_is_scale, contents)) else ""
    return "Y channel, %sPSNR in dB / SSIM; multiply-adds for a result of 1280x720:" % shave
