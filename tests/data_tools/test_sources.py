"""Each layout of the input, and each way in which one can be wrong."""

import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsrn_estimator.data.example import encode_example
from bsrn_estimator.data.tfrecord import ShardWriter, index_shard
from bsrn_estimator.errors import UserError
from bsrn_estimator.pictures import results
from data_tools.options import ConversionOptions
from data_tools.sources import find_pictures
from data_tools.sources.picture import StoredFeature, record_name
from tests.support import fabricate


def found(dataset, root, **changes):
    return find_pictures(ConversionOptions(dataset, str(root), "out", **changes).complete())


def names(result):
    return [picture.name for picture in result.pictures]


def test_div2k_and_a_folder_of_its_name(tmp_path):
    fabricate.div2k(tmp_path / "DIV2K", [(13, 17), (20, 14)], split="valid")
    for root in (tmp_path, tmp_path / "DIV2K"):
        result = found("div2k", root, split="valid", scales=(2, 4))
        assert names(result) == ["0801", "0804"] and result.problems == []
        lr = result.pictures[1].lr
        assert sorted(lr) == [2, 4] and lr[4].path.endswith("X4/0804x4.png")
    with pytest.raises(UserError, match="not laid out as --dataset=div2k .* DIV2K_train_HR/"):
        found("div2k", tmp_path)


def test_scale_8_of_div2k_stands_apart(tmp_path):
    fabricate.div2k(tmp_path, [(16, 17)], scales=(2, 8))
    apart = tmp_path / "DIV2K_train_LR_x8"
    (tmp_path / "DIV2K_train_LR_bicubic" / "X8").rename(apart)
    result = found("div2k", tmp_path, scales=(2, 8))
    assert result.pictures[0].lr[8].path == str(apart / "0801x8.png")


@pytest.mark.parametrize(
    "hr, lr", [("SR", "LR/x%d/%s.png"), ("HR", "LR/x%d/%s.png"), ("HR", "LR_bicubic/X%d/%sx%d.png")]
)
def test_benchmark_layouts(tmp_path, hr, lr):
    pixels = fabricate.picture(8, 8, 0)
    for name in ("b x3", "a"):
        fabricate.save(pixels, tmp_path, hr, name + ".png")
        for scale in (2, 3):
            path = lr % ((scale, name, scale) if "bicubic" in lr else (scale, name))
            fabricate.save(pixels, tmp_path, path)
    for dataset in ("bsd100", "benchmark"):
        result = found(dataset, tmp_path, scales=(2, 3))
        assert names(result) == ["a", "b_x3"] and result.problems == []
        assert result.pictures[1].hr.path.endswith("b x3.png")
    with pytest.raises(UserError, match="LR pictures of scale 4; .*--scales"):
        found("bsd100", tmp_path)


def test_lr_missing_extra_doubled_or_misnamed(tmp_path):
    fabricate.div2k(tmp_path, [(9, 9)] * 5, scales=(2, 3))
    lr = tmp_path / "DIV2K_train_LR_bicubic"
    (lr / "X2" / "0801x2.png").unlink()
    (lr / "X3" / "0804x3.png").rename(lr / "X3" / "0999x3.png")
    fabricate.save(fabricate.picture(4, 4, 0), lr, "X2", "0807x2.jpg")
    fabricate.save(fabricate.picture(4, 4, 0), lr, "X2", "0810.png")
    fabricate.save(fabricate.picture(9, 9, 0), tmp_path, "DIV2K_train_HR", "0813.bmp")
    result = found("div2k", tmp_path, scales=(2, 3))
    problems = dict(result.problems)
    assert names(result) == [] and len(problems) == len(result.problems) == 6
    assert "0801.png has no LR picture of scale 2" in problems["0801"]
    assert "0804.png has no LR picture of scale 3" in problems["0804"]
    assert "0999x3.png has no HR picture" in problems["0999x3"]
    assert "two pictures of one name" in problems["0807"]
    assert "0810x2.png are both LR pictures of" in problems["0810"]
    assert "0813.bmp" in problems["0813"] and "two pictures of one name" in problems["0813"]


def test_folder_takes_a_tree(tmp_path):
    pixels = fabricate.picture(6, 6, 0)
    for path in ("b/c.jpg", "b/d/e.PNG", "a.bmp", "z.webp", "y.tif", ".hidden.png", ".git/x.png"):
        fabricate.save(pixels, tmp_path, path)
    os.rename(fabricate.save(pixels, tmp_path, "x.jpg"), str(tmp_path / "x.jfif"))
    (tmp_path / "notes.txt").write_text("no picture")
    result = found("folder", tmp_path)
    assert names(result) == ["a", "b_c", "b_d_e", "x", "y", "z"] and result.problems == []
    counted = "passed over: 2 hidden or of the system, 1 with another ending (.txt)"
    assert str(result.passed_over) == counted


def test_results_of_predict_are_no_data(tmp_path):
    fabricate.save(fabricate.picture(6, 6, 0), tmp_path, "a.png")
    (tmp_path / "x2").mkdir()
    path = str(tmp_path / "x2" / "a.png")
    with results.write(path, (6, 6, 3), 8, None, {}, results.ResultFormat()) as writer:
        writer.write(fabricate.picture(6, 6, 1))
    result = found("folder", tmp_path)
    assert names(result) == ["a"] and "1 result of predict" in str(result.passed_over)
    os.unlink(str(tmp_path / "a.png"))
    with pytest.raises(UserError, match="holds no picture.*1 result of predict"):
        found("folder", tmp_path)


def test_folders_of_sequences(tmp_path):
    """As REDS and Vid4 have them; what lies beside is counted."""
    for path in ("000/00000001", "000/00000002", "001/00000001", "x"):
        fabricate.save(fabricate.picture(8, 8, 0), tmp_path, "HR", path + ".png")
        fabricate.save(fabricate.picture(4, 4, 0), tmp_path, "LR", "x2", path + ".png")
        fabricate.save(fabricate.picture(4, 4, 0), tmp_path, "LR_bicubic", "X2", path + "x2.png")
    (tmp_path / "HR" / "001" / "meta.json").write_text("{}")
    fabricate.save(fabricate.picture(4, 4, 0), tmp_path, "LR", "x2", ".thumbnails", "x.png")
    result = found("benchmark", tmp_path, scales=(2,))
    expected = ["000_00000001", "000_00000002", "001_00000001", "x"]
    assert names(result) == expected and result.problems == []
    assert result.pictures[2].lr[2].path.endswith("LR/x2/001/00000001.png")
    counted = "passed over: 1 with another ending (.json), 1 hidden or of the system"
    assert str(result.passed_over) == counted
    os.rename(str(tmp_path / "LR"), str(tmp_path / "other"))
    result = found("benchmark", tmp_path, scales=(2,))
    assert names(result) == expected and result.problems == []
    os.unlink(str(tmp_path / "LR_bicubic" / "X2" / "001" / "00000001x2.png"))
    problems = dict(found("benchmark", tmp_path, scales=(2,)).problems)
    assert "HR/001/00000001.png has no LR picture of scale 2" in problems["001/00000001"]


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC"), ("NFD", "NFD")])
def test_names_of_a_mac(tmp_path, forms):
    hr, lr = (unicodedata.normalize(form, "f\u00fcr \u30ac.png") for form in forms)
    fabricate.save(fabricate.picture(8, 8, 0), tmp_path, "HR", hr)
    fabricate.save(fabricate.picture(4, 4, 0), tmp_path, "LR", "x2", lr)
    result = found("benchmark", tmp_path, scales=(2,))
    assert names(result) == ["f\u00fcr_\u30ac"] and result.problems == []
    fabricate.save(fabricate.picture(8, 8, 0), tmp_path, "twins", hr)
    other = unicodedata.normalize("NFD" if forms[0] == "NFC" else "NFC", hr)
    fabricate.save(fabricate.picture(8, 8, 0), tmp_path, "twins", other)
    assert len(found("folder", tmp_path / "twins").problems) == 1


def test_two_pictures_of_one_name(tmp_path):
    pixels = fabricate.picture(6, 6, 0)
    for path in ("a.png", "a.jpg", "b/c.png", "b_c.png", "b c.bmp", "d.png"):
        fabricate.save(pixels, tmp_path, path)
    result = found("folder", tmp_path)
    assert names(result) == ["d"]
    assert [name for name, _ in result.problems] == ["a", "b_c", "b_c"]
    assert "a.jpg and" in result.problems[0][1] and "called a; rename" in result.problems[0][1]


def test_empty_and_absent_folders(tmp_path):
    with pytest.raises(UserError, match="holds no picture"):
        found("folder", tmp_path)
    with pytest.raises(UserError, match="absent is not a folder"):
        found("folder", tmp_path / "absent")
    with pytest.raises(UserError, match="absent is not a folder"):
        found("bsd100", tmp_path / "absent")
    (tmp_path / "SR").mkdir()
    (tmp_path / "LR" / "x2").mkdir(parents=True)
    with pytest.raises(UserError, match="SR holds no picture"):
        found("bsd100", tmp_path, scales=(2,))


def test_links_out_of_the_input_folder(tmp_path):
    outside = fabricate.save(fabricate.picture(6, 6, 0), tmp_path, "outside", "secret.png")
    root = tmp_path / "in"
    inside = fabricate.save(fabricate.picture(6, 6, 1), root, "real.png")
    os.symlink(outside, str(root / "evil.png"))
    os.symlink(str(tmp_path / "outside"), str(root / "folder"))
    os.symlink(inside, str(root / "fine.png"))
    os.symlink("nowhere", str(root / "broken.png"))
    os.symlink(str(root), str(root / "circle"))
    result = found("folder", root)
    assert names(result) == ["broken", "fine", "real"]  # the broken one is found when it is opened
    assert sorted(name for name, _ in result.problems) == ["evil.png", "folder"]
    assert "1 linked folder" in str(result.passed_over)  # the circle
    assert "evil.png is a symbolic link out of the input folder" in str(result.problems)
    followed = found("folder", root, follow_links=True)
    assert "evil" in names(followed) and followed.problems == []
    assert len(followed.pictures) == 5

    layout = tmp_path / "layout"
    fabricate.div2k(layout, [(9, 9), (9, 9)], scales=(2,))
    lr = layout / "DIV2K_train_LR_bicubic" / "X2" / "0801x2.png"
    lr.unlink()
    os.symlink(outside, str(lr))
    result = found("div2k", layout, scales=(2,))
    assert names(result) == ["0804"] and "symbolic link out" in dict(result.problems)["0801"]
    os.rename(str(layout / "DIV2K_train_HR"), str(tmp_path / "moved"))
    os.symlink(str(tmp_path / "moved"), str(layout / "DIV2K_train_HR"))
    with pytest.raises(UserError, match="DIV2K_train_HR is a symbolic link out"):
        found("div2k", layout, scales=(2,))
    assert names(found("div2k", layout, scales=(2,), follow_links=True)) == ["0801", "0804"]


@given(st.text(max_size=300))
def test_names_of_records(text):
    name = record_name(text)
    assert name and len(name.encode()) <= 100 and not name.startswith(".")
    assert "/" not in name and "\0" not in name and name.isprintable()
    assert record_name(name) == name


def test_hostile_names(tmp_path):
    for name in (
        "two\nlines",
        "a..%2f..",
        "-rf",
        "x" * 240,
        "\u00fcber \U0001f600",
        "a..b",
        "\udcff",
    ):
        path = os.path.join(str(tmp_path), name + ".png")
        os.rename(fabricate.save(fabricate.picture(6, 6, 0), tmp_path, "t.png"), path)
    result = found("folder", tmp_path)
    assert result.problems == [] and len(result.pictures) == 7
    assert "two_lines" in names(result) and "a..b" in names(result)
    assert all("\n" not in picture.hr.label for picture in result.pictures)


@pytest.mark.parametrize("features", [{"hr": 3}, {"lr": b"PNG"}, {}])
def test_a_record_without_a_picture_is_named(tmp_path, features):
    path = str(tmp_path / "a.tfrecord")
    with ShardWriter(path) as writer:
        writer.write(encode_example(features))
    ((offset,), (length,)) = index_shard(path)
    stored = StoredFeature(path, 0, int(offset), int(length), "hr")
    with pytest.raises(UserError, match="a.tfrecord, record 0, hr holds no picture"):
        stored.content()


@pytest.mark.parametrize("split, part", [("train", "train_val"), ("test", "TEST")])
def test_usr248_and_a_folder_of_its_name(tmp_path, split, part):
    expected = fabricate.usr248(tmp_path / "USR248", [(16, 24)] * 3, part=part)
    for root in (tmp_path, tmp_path / "USR248"):
        result = found("usr248", root, split=split, scales=(2, 4, 8))
        assert names(result) == expected and result.problems == []
        lr = result.pictures[0].lr
        assert [lr[s].path.rsplit("/", 2)[1] for s in (2, 4, 8)] == ["lr_2x", "lr_4x", "lr_8x"]
        assert result.pictures[0].hr.path.endswith(part + "/hr/%s.jpg" % expected[0])
    other = "TEST/hr/ beside TEST/lr_2x/" if split == "train" else "train_val/hr/ beside"
    with pytest.raises(UserError, match="not laid out as --dataset=usr248 needs it: " + other):
        found("usr248", tmp_path, split="test" if split == "train" else "train")


def test_usr248_without_a_scale(tmp_path):
    fabricate.usr248(tmp_path, [(16, 24)], scales=(2, 4))
    with pytest.raises(UserError, match="train_val/lr_8x is missing, .* scale 8; .*--scales"):
        found("usr248", tmp_path, scales=(2, 4, 8))
    with pytest.raises(UserError, match="usr248 has the splits train and test, not valid"):
        found("usr248", tmp_path, split="valid")
