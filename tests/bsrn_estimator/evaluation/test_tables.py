"""The table of several networks: costs beside figures, gaps where something was not measured."""

import csv
import io

import pytest

from bsrn_estimator.errors import UserError
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


def test_a_table_of_one_network_word_for_word(tmp_path):
    content = _content(37.789, pictures=2)
    content.update(records="r", precision="float32", grey="file", result="ensemble")
    content["weights"] = {"digest": "w"}
    content["scales"]["2"]["shave"] = 4
    one = [Measured("n", DOUBLE, {"s": content})]
    operations = DOUBLE.multiply_adds(2, form="ensemble")
    cost = "%.1f G" % (operations / 1e9)
    tables.save(one, str(tmp_path / "new"), "table")
    assert (tmp_path / "new/table.md").read_text() == (
        "Y channel, PSNR in dB / SSIM; multiply-adds for a result of 1280x720:\n\n"
        "| scale | network | parameters | multiply-adds | s (2) |\n"
        "| --- | --- | --- | --- | --- |\n"
        "| x2 | bicubic |  |  | 30.00 / 0.8000 |\n"
        f"| x2 | n | {DOUBLE.parameters():,} | {cost} | 37.79 / 0.9000 |\n"
    )
    head, row = (tmp_path / "new/table.csv").read_text().splitlines()
    assert head == (
        "network,set,scale,weights,global_step,records,precision,grey,result,pictures,parameters,"
        "multiply_adds,shave,psnr_y,ssim_y,bicubic_psnr_y,bicubic_ssim_y"
    )
    assert row == "n,s,2,w,7,r,float32,file,ensemble,2,%d,%d,4,37.789,0.9,30.0,0.8" % (
        DOUBLE.parameters(),
        operations,
    )
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="table.md cannot be written"):
        tables.save(one, str(tmp_path / "file/new"), "table")
