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


def _content(**more):
    """Figures of two scales, by hand: one picture of x3 has no finite PSNR."""
    two = dict(shave=2, psnr_y=31.234, ssim_y=0.91234, psnr_rgb=30.1, rmse_rgb=8.0)
    two.update(bicubic_psnr_y=30.0, bicubic_ssim_y=0.92, images={"a": {"psnr_y": 31.234}})
    three = dict(two, shave=3, psnr_y=None, ssim_y=0.5)
    three["images"] = {str(n): {"psnr_y": None if n < 6 else 1.0} for n in range(8)}
    values = dict(global_step=7, data_set="set", result="ensemble", pictures=8)
    return dict(values, scales={"2": two, "3": three}, **more)


def test_a_table_word_for_word():
    assert report.table(_content()).splitlines() == [
        "step 7, set, 8 pictures; Y channel, shave = scale, PSNR in dB / SSIM:",
        "scale  network         bicubic         difference",
        "x2     31.23 / 0.9123  30.00 / 0.9200  +1.23 / -0.0077",
        "x3     - / 0.5000      30.00 / 0.9200  - / -0.4200",
        "x3 ensemble: the mean of psnr_y leaves out 6 of 8 pictures, where it is not finite: "
        "0, 1, 2, 3, 4, ...",
    ]


def test_a_table_with_a_shave_of_its_own_has_rgb_too():
    content = _content(degraded="jpeg:75", grey="studio")
    content.update(pictures=1, data_set="", global_step=None)
    content["scales"]["2"]["shave"] = 4
    content["scales"]["3"]["images"] = {str(n): {"psnr_y": None} for n in range(5)}
    lines = report.table(content).splitlines()
    assert lines[0] == (
        "step unknown,  with LR degraded by jpeg:75, 1 picture; Y channel (studio range for every "
        "file), shave = 3, 4, PSNR in dB / SSIM:"
    )
    assert lines[4:8] == [
        "",
        "RGB channels:",
        "scale  PSNR    RMSE",
        "x2     30.100  8.000",
    ]
    assert lines[-1].endswith("leaves out 5 of 5 pictures, where it is not finite: 0, 1, 2, 3, 4")


def test_means_are_named_as_their_curves():
    content = _content()
    content["scales"]["2"]["outputs"] = {"t4": {"psnr_y": 29.0, "images": {}}}
    found = report.means(content)
    assert found["psnr_y/x2"] == 31.234 and found["psnr_y/x3"] is None
    assert found["t4_psnr_y/x2"] == 29.0 and found["bicubic_ssim_y/x3"] == 0.92
    assert len(found) == 6 + 6 + 1


def test_a_pair_of_no_entry():
    entry = {"a": 1.005, "b": None}
    assert report.pair(None, "a", "b") == "-" and report.pair(entry, "a", "b") == "1.00 / -"


def test_figures_of_several_pictures():
    found = report.Report("set", {2: 2}, "ensemble", "bfloat16", "studio")
    for name, value in (("one", 30.0), ("two", float("inf")), ("three", 33.0)):
        values = figures_of(value)
        values[2]["t4"] = {"psnr_y": value + 1}
        found.add(name, values)
    content = found.to_dict(None)
    assert {k: content[k] for k in ("global_step", "data_set", "result", "precision", "grey")} == {
        "global_step": None,
        "data_set": "set",
        "result": "ensemble",
        "precision": "bfloat16",
        "grey": "studio",
    }
    assert content["pictures"] == 3 and "mean over pictures" in content["protocol"]
    two = content["scales"]["2"]
    assert (two["shave"], two["psnr_y"], two["outputs"]["t4"]["psnr_y"]) == (2, 31.5, 32.5)
    assert two["images"]["two"]["psnr_y"] is None and two["images"]["three"]["psnr_y"] == 33.0
    assert "outputs" not in _content()["scales"]["2"] and "t4" not in two
