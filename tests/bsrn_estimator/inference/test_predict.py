"""Mode predict on real files: every kind of picture, names, what is finished, metrics, refusals."""

import functools
import json
import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from PIL import Image

from bsrn_estimator.checkpoints import trained
from bsrn_estimator.compat import TF2
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation import metrics
from bsrn_estimator.inference import finding, predict
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.networks.precision import BFLOAT16, FLOAT32
from bsrn_estimator.pictures import results
from bsrn_estimator.pictures.imresize import enlarge, shrink
from bsrn_estimator.pictures.picture import to_uint8
from bsrn_estimator.platforms.cpu import has_bfloat16
from tests.support import in_process
from tests.support.golden import Golden


@pytest.fixture(scope="module")
def upscaled(golden):
    """The network's picture of [height, width, 3], in 0..255, not rounded."""
    with Upscaler(trained.TrainedNetwork(golden.checkpoint, golden.network)) as upscaler:
        yield lambda lr: upscaler.upscale(lr, 4)


def _noise(*shape, dtype=np.uint8, seed=5):
    return np.random.RandomState(seed).randint(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def _save(path, array, **kwargs):
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    Image.fromarray(array).save(str(path), **kwargs)
    return array


def _load(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


def test_kinds_of_pictures(options, tmp_path, upscaled):
    source, out = tmp_path / "in", tmp_path / "out" / "x4"
    rgb = _save(source / "rgb.bmp", _noise(5, 7, 3))
    grey = _save(source / "grey.png", _noise(6, 5))
    alpha = _noise(5, 6, 4)
    alpha[..., 3] |= 1  # all of it visible
    _save(source / "alpha.webp", alpha, lossless=True, exact=True)
    deep = _noise(4, 7, 3, dtype=np.uint16)
    cv2.imwrite(str(source / "deep.tif"), deep[..., ::-1])
    assert predict.run(options()) == 0

    np.testing.assert_array_equal(_load(out / "rgb.png")[..., ::-1], to_uint8(upscaled(rgb)))
    result = _load(out / "grey.png")
    expected = upscaled(np.stack([grey] * 3, -1)) @ np.array([0.299, 0.587, 0.114])
    assert result.shape == (24, 20) and result.dtype == np.uint8
    assert np.abs(result - np.clip(expected, 0, 255)).max() < 0.51
    result = _load(out / "alpha.png")
    np.testing.assert_array_equal(result[..., 2::-1], to_uint8(upscaled(alpha[..., :3])))
    np.testing.assert_array_equal(result[..., 3], enlarge(alpha[..., 3], 4))
    result = _load(out / "deep.png")
    expected = 257 * np.clip(upscaled(deep / 257.0), 0, 255)
    assert result.dtype == np.uint16
    assert np.abs(result[..., ::-1] - expected).max() < 2


def test_one_oriented_picture_with_a_profile(options, tmp_path, upscaled):
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = _save(tmp_path / "in" / "a.png", _noise(5, 7, 3), exif=exif, icc_profile=b"RGB " * 50)
    assert predict.run(options(input=str(tmp_path / "in" / "a.png"))) == 0
    with Image.open(str(tmp_path / "out" / "x4" / "a.png")) as image:
        assert image.getexif().get(0x0112) is None
        assert image.info["icc_profile"] == b"RGB " * 50
        np.testing.assert_array_equal(np.asarray(image), to_uint8(upscaled(np.rot90(stored, -1))))


def test_what_is_finished_is_not_made_again(options, tmp_path, capsys):
    source, result = tmp_path / "in" / "a.png", tmp_path / "out" / "x4" / "a.png"
    _save(source, _noise(5, 7, 3))
    _save(tmp_path / "in" / "b.png", _noise(5, 7, 3))

    def written(**kwargs):
        before = os.stat(str(result)).st_mtime_ns if result.exists() else None
        assert predict.run(options(**kwargs)) == 0
        return os.stat(str(result)).st_mtime_ns != before

    assert written()
    assert not written()
    assert "0 results written, 2 were finished before" in capsys.readouterr().out
    assert written(overwrite=True)
    assert written(first_output=1)
    assert not written(first_output=1, compare=True)
    assert "2 results written, 2 were finished" in capsys.readouterr().out
    _save(source, _noise(5, 7, 3, seed=9))
    assert written(first_output=1)
    # Not half of a picture counts as finished.
    assert not any(name.endswith(".incomplete") for name in os.listdir(str(tmp_path / "out/x4")))


@pytest.mark.skipif(not TF2, reason="TensorFlow 1.15 has no such convolutions on a CPU")
def test_another_precision_is_another_result(options, tmp_path, capsys):
    _save(tmp_path / "in" / "a.png", _noise(25, 17, 3))
    made = []
    for precision in (FLOAT32, BFLOAT16, BFLOAT16):
        find = functools.partial(finding.in_tensorflow, precision=precision)
        assert predict.run(options(), find) == 0
        made.append(_load(tmp_path / "out" / "x4" / "a.png").astype(int))
        assert capsys.readouterr().out.splitlines()[0].endswith("computed in " + precision)
    assert 0 < np.abs(made[1] - made[0]).max() <= 8
    np.testing.assert_array_equal(made[1], made[2])
    record = results.record_of(str(tmp_path / "out" / "x4" / "a.png"))
    assert record["precision"] == BFLOAT16


def test_precision_is_chosen_by_the_flag_and_the_processor(golden, tmp_path, capsys):
    """By itself where there is one, and refused in a sentence where there is none."""
    _save(tmp_path / "in" / "a.png", _noise(5, 7, 3))
    common = ["--mode=predict", "--device=cpu", "--checkpoint=" + golden.checkpoint]
    common += ["--recursions=4", "--recursion_frequency=2", "--input=%s" % (tmp_path / "in")]
    best = BFLOAT16 if has_bfloat16() else FLOAT32
    try:
        for flags, precision in (([], best), (["--nomixed_precision"], FLOAT32)):
            assert in_process.run(common + ["--output_dir=%s" % (tmp_path / "out")] + flags) == 0
            assert "computed in %s\n" % precision in capsys.readouterr().out
        asked = common + ["--output_dir=%s" % (tmp_path / "asked"), "--mixed_precision"]
        assert in_process.run(asked) == (0 if has_bfloat16() else 2)
    finally:
        in_process.reset()
    said = capsys.readouterr()
    if has_bfloat16():
        assert "computed in bfloat16" in said.out
    else:
        assert ("bfloat16 instructions" if TF2 else "needs TensorFlow 2.21") in said.err
        assert not (tmp_path / "asked").exists()


def test_a_file_of_somebody_else_is_left_alone(options, tmp_path, capsys):
    _save(tmp_path / "in" / "a.png", _noise(5, 7, 3))
    _save(tmp_path / "in" / "b.png", _noise(5, 7, 3))
    own = _save(tmp_path / "out" / "x4" / "a.png", _noise(3, 3, 3))
    assert predict.run(options()) == 1
    assert "a.png exists and was not made by this command" in capsys.readouterr().err
    np.testing.assert_array_equal(_load(tmp_path / "out" / "x4" / "a.png")[..., ::-1], own)
    assert predict.run(options(overwrite=True)) == 0
    assert _load(tmp_path / "out" / "x4" / "a.png").shape == (20, 28, 3)


def test_bad_pictures_are_named_and_the_rest_is_done(options, tmp_path, capsys):
    source = tmp_path / "in"
    _save(source / "good.png", _noise(5, 7, 3))
    frames = [Image.fromarray(_noise(4, 4, 3, seed=n)) for n in range(2)]
    frames[0].save(str(source / "moving.webp"), save_all=True, append_images=frames[1:])
    _save(source / "cut.png", _noise(50, 70, 3))
    content = (source / "cut.png").read_bytes()
    (source / "cut.png").write_bytes(content[: len(content) // 2])
    (source / "no\npicture.jpg").write_bytes(b"words")
    os.symlink("/dev/zero", str(source / "zero.png"))
    os.mkfifo(str(source / "pipe.png"))
    _save(source / "large.png", _noise(40, 60, 3))
    assert predict.run(options(max_pixels=2000)) == 1
    captured = capsys.readouterr()
    skipped = [line for line in captured.err.splitlines() if line.startswith("skipped: ")]
    assert len(skipped) == 6 and "6 pictures were skipped, see above" in captured.err
    for name, reason in [
        ("moving.webp", "animated"),
        ("cut.png", "pixels"),
        ("no\\npicture.jpg", "not a picture"),
        ("zero.png", "not a file"),
        ("pipe.png", "not a file"),
        ("large.png", "more than 2000 pixels"),
    ]:
        assert any(name in line and reason in line for line in skipped), name
    assert os.listdir(str(tmp_path / "out" / "x4")) == ["good.png"]


def test_compare_and_metrics(options, tmp_path, golden, capsys):
    truth = {}
    for name in ("one", "deep/two"):
        hr = truth[name] = _save(
            tmp_path / "Set2" / "HR" / (name + ".png"), _noise(83, 99, 3, seed=len(name))
        )
        lr = shrink(hr, 4)
        _save(tmp_path / "in" / (name + "x4.png"), lr)
    run = options(compare=True, output="all", hr_dir=str(tmp_path / "Set2" / "HR"))
    for _ in range(2):  # the second time everything is finished, and the figures are the same
        assert predict.run(run) == 0
        content = json.loads((tmp_path / "out" / "metrics.json").read_text())
        images = content["scales"]["4"]["images"]
        assert sorted(images) == ["deep/twox4.png", "onex4.png"]
        # As the golden checkpoint is in the form of the reference implementation.
        assert content["global_step"] is None
        # The set is named, not its folder of HR pictures.
        assert content["data_set"] == "Set2"
        assert "step unknown, Set2, 2 pictures" in capsys.readouterr().out
    out = tmp_path / "out"
    assert sorted(os.listdir(str(out))) == [
        "metrics.json",
        "x4",
        "x4_bicubic",
        "x4_recursion_02",
        "x4_recursion_04",
    ]
    for name, hr in truth.items():
        figures = images[name + "x4.png"]
        result = _load(out / "x4" / (name + "x4.png"))[..., ::-1]
        bicubic = _load(out / "x4_bicubic" / (name + "x4.png"))[..., ::-1]
        np.testing.assert_array_equal(bicubic, enlarge(shrink(hr, 4), 4))
        for key, value in metrics.compare(hr, np.ascontiguousarray(result), 4).items():
            assert figures[key] == pytest.approx(value)
        for key, value in metrics.compare(hr, np.ascontiguousarray(bicubic), 4).items():
            assert figures["bicubic_" + key] == pytest.approx(value)


def test_pictures_without_a_ground_truth(options, tmp_path, capsys):
    _save(tmp_path / "in" / "a.png", _noise(20, 20, 3))
    _save(tmp_path / "in" / "b.png", _noise(20, 20, 3))
    _save(tmp_path / "hr" / "b.png", _noise(79, 80, 3))
    assert predict.run(options(hr_dir=str(tmp_path / "hr"))) == 1
    captured = capsys.readouterr().err
    assert "a.png has no HR picture" in captured
    assert (
        "b.png is 20x20, but the LR picture of scale 4 of a picture of 80x79 is 20x19" in captured
    )
    assert not (tmp_path / "out" / "metrics.json").exists()


def test_refusals(options, tmp_path, golden):
    _save(tmp_path / "in" / "a.png", _noise(5, 7, 3))
    for kwargs, words in [
        ({"input": None}, "needs --input"),
        ({"hr_dir": "/nowhere"}, "--hr_dir=/nowhere is not a folder"),
        ({"tile": 24}, "--tile=24 leaves nothing"),
        ({"tile_overlap": -1}, "--tile_overlap must be at least 0"),
        ({"output_format": "gif"}, "--output_format takes png or jpeg or webp, not gif"),
        ({"output_format": "jpeg", "quality": 0}, "--quality takes 1 to 100, not 0"),
        ({"quality": 90}, "--quality is for --output_format=jpeg or webp"),
        ({"png_level": 10}, "--png_level must be at most 9"),
        ({"png_level": 1, "output_format": "webp"}, "--png_level is for --output_format=png"),
        ({"checkpoint": "/nowhere/model.ckpt"}, "is not a checkpoint"),
        ({"scales": (2,)}, "--scales=2: this network has x4"),
        ({"input": str(tmp_path / "none")}, "does not exist"),
    ]:
        with pytest.raises(UserError, match=words):
            predict.run(options(**kwargs))
    multi = Golden("multi_scale")
    with pytest.raises(UserError, match="choose it with --scales"):
        predict.run(
            options(
                checkpoint=multi.checkpoint,
                given={"recursions": 4, "recursion_frequency": 1},
                hr_dir=str(tmp_path),
            )
        )
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--output_dir=.* cannot be written"):
        predict.run(options(output_dir=str(tmp_path / "file")))


def test_the_command(golden, tmp_path, root):
    """Flags reach the work, and a mistake is one line."""
    _save(tmp_path / "in" / "a.png", _noise(5, 7, 3))
    common = [sys.executable, "-m", "bsrn_estimator.main", "--mode=predict"]
    common += ["--checkpoint=" + golden.checkpoint, "--output_dir=%s" % (tmp_path / "out")]
    given = ["--recursions=4", "--recursion_frequency=2", "--output=last"]

    def run(*flags):
        return subprocess.run(
            common + list(flags),
            cwd=str(root),
            capture_output=True,
            text=True,
        )

    done = run("--input=%s" % (tmp_path / "in" / "*.png"), "--self_ensemble", *given)
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-1]
    assert last == "1 result written: %s" % (tmp_path / "out" / "x4" / "a.png")
    assert sorted(os.listdir(str(tmp_path / "out"))) == ["x4"]
    wrong = run("--input=%s" % (tmp_path / "in"))
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("error: ") and "--recursions" in wrong.stderr
    assert len(wrong.stderr.splitlines()) == 1
