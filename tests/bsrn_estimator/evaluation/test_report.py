"""metrics.json and its tables, and what cannot be reported."""

import json

import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation import metrics, report


def test_the_table_has_a_row_for_each_output(whole):
    _, _, _, content = whole
    text = report.table(content)
    lines = text.splitlines()
    assert lines[0] == ("step 70, blocks, 5 pictures; Y channel, shave = scale, PSNR in dB / SSIM:")
    assert lines[1].split() == "scale output network bicubic difference UIQM bicubic".split()
    assert [line.split()[:2] for line in lines[2:8]] == [
        [scale, output]
        for scale in ("x2", "x3")
        for output in ("recursion_02", "recursion_04", "ensemble")
    ]
    three = content["scales"]["3"]
    psnr, bicubic = three["psnr_y"], three["bicubic_psnr_y"]
    for part in ("%.2f / " % psnr, "%.2f / " % bicubic, "%+.2f / " % (psnr - bicubic)):
        assert part in lines[7]
    assert "RGB channels:" in lines
    last = lines[lines.index("RGB channels:") + 7].split()
    assert last == ["x3", "ensemble", "%.3f" % three["psnr_rgb"], "%.3f" % three["rmse_rgb"]]
    assert "leaves out 1 of 5 pictures, where it is not finite: UP" in text


def figures_of(value):
    names = metrics.NAMES + (report.BICUBIC_PSNR_Y, report.BICUBIC_SSIM_Y)
    return {2: {"ensemble": {name: value for name in names}}}


def test_a_shave_that_leaves_nothing_is_a_mistake():
    found = report.Report("", {2: 500}, "ensemble")
    found.add("one", figures_of(float("nan")))
    with pytest.raises(UserError, match="--shave=500 leaves nothing of any picture at x2"):
        found.to_dict(1)


def test_two_pictures_of_one_name_are_a_mistake():
    found = report.Report("", {2: 2}, "ensemble")
    found.add("one", figures_of(30.0))
    with pytest.raises(UserError, match="two pictures of the evaluation are called one"):
        found.add("one", figures_of(31.0))


def test_no_picture_is_a_mistake():
    with pytest.raises(UserError, match="hold no picture"):
        report.Report("", {2: 2}, "ensemble").to_dict(1)


def test_a_network_whose_figures_are_not_finite_still_has_a_table():
    found = report.Report("", {2: 2}, "ensemble")
    values = figures_of(float("nan"))
    values[2]["ensemble"].update(bicubic_psnr_y=30.0, bicubic_ssim_y=0.9)
    found.add("one", values)
    content = json.loads(json.dumps(found.to_dict(1), allow_nan=False))
    assert content["scales"]["2"]["psnr_y"] is None
    assert "- / -" in report.table(content)


@pytest.mark.parametrize("text", ["{", "[]", '{"scales": 3}'])
def test_what_is_no_metrics_json_is_refused(tmp_path, text):
    path = tmp_path / "metrics.json"
    path.write_text(text)
    with pytest.raises(UserError, match=str(path)):
        report.load(str(path))


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="metrics.json cannot be written"):
        report.save({}, str(tmp_path / "file/step-1"))
