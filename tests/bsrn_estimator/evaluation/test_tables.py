"""The table of several networks: costs beside figures, gaps where something was not measured."""

import csv
import io

from bsrn_estimator.evaluation import tables
from bsrn_estimator.evaluation.tables import Measured
from bsrn_estimator.networks.bsrn import Bsrn


def _content(psnr, bicubic=30.0, pictures=5, **scales):
    entries = {}
    for scale, value in dict({"x2": psnr}, **scales).items():
        entries[scale[1:]] = {
            "shave": int(scale[1:]),
            "psnr_y": value,
            "ssim_y": 0.9,
            "bicubic_psnr_y": bicubic,
            "bicubic_ssim_y": 0.8,
            "images": {"a": {"psnr_y": value}},
        }
    return {"global_step": 7, "data_set": "s", "pictures": pictures, "scales": entries}


PAPER = Bsrn(scales=(2, 3, 4))
DOUBLE = Bsrn(scales=(2,), conv_features=32, state_features=32)
FOUND = [
    Measured("paper", PAPER, {"s": _content(37.789, x3=34.0), "t": _content(None, 29.0, 1)}),
    Measured("small", DOUBLE, {"s": _content(36.0)}),
]


def test_a_row_for_each_scale_and_network():
    lines = [line.split("  ") for line in tables.text(FOUND).splitlines()]
    rows = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    cost = ["%.1f G" % (PAPER.multiply_adds(scale, form="ensemble") / 1e9) for scale in (2, 3)]
    assert rows[1:] == [
        ["scale", "network", "parameters", "multiply-adds", "s (5)", "t (1)"],
        ["x2", "bicubic", "30.00 / 0.8000", "29.00 / 0.8000"],
        ["x2", "paper", f"{PAPER.parameters():,}", cost[0], "37.79 / 0.9000", "- / 0.9000"],
        ["x2", "small", f"{DOUBLE.parameters():,}", rows[4][3], "36.00 / 0.9000", "-"],
        ["x3", "bicubic", "30.00 / 0.8000", "-"],
        ["x3", "paper", f"{PAPER.parameters():,}", cost[1], "34.00 / 0.9000", "-"],
    ]
    assert rows[0] == [
        "Y channel, shave = scale, PSNR in dB / SSIM; multiply-adds for a result of 1280x720:"
    ]


def test_a_name_with_a_bar_stays_one_cell_of_markdown():
    lines = tables.markdown([FOUND[1]._replace(name="a|b")]).splitlines()
    assert lines[-1].startswith("| x2 | a\\|b | ")


def test_the_csv_has_all_figures_at_full_precision():
    rows = list(csv.DictReader(io.StringIO(tables.comma_separated(FOUND))))
    assert [(row["network"], row["set"], row["scale"]) for row in rows] == [
        ("paper", "s", "2"),
        ("paper", "s", "3"),
        ("paper", "t", "2"),
        ("small", "s", "2"),
    ]
    assert (rows[0]["psnr_y"], rows[2]["psnr_y"]) == ("37.789", "")
    assert int(rows[0]["multiply_adds"]) == PAPER.multiply_adds(2, form="ensemble")
    assert "images" not in rows[0] and rows[0]["shave"] == "2"
