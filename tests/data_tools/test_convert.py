"""Conversions from pictures to shards: what the records hold, what is refused, what survives."""

import errno
import json
import os
import re
import resource
import shutil
import signal
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.errors import UserError
from bsrn_estimator.pictures.imresize import shrink
from data_tools import encoding, here
from data_tools import output as output_module
from data_tools.convert import convert, size_in_words
from data_tools.options import ConversionOptions
from data_tools.output import Output
from data_tools.stopping import Stopped
from data_tools.verify import verify
from tests.support import alone, fabricate

SIZES = [(53, 100), (37, 41), (60, 25), (48, 48), (70, 66), (24, 24)]
SMALL = dict(patch_size=6, tile_size=36, shard_bytes=30000, workers=1, name="set")


def run(dataset, root, out, **changes):
    options = dict(SMALL, input_dir=str(root), output_dir=str(out))
    options.update(changes)
    return convert(ConversionOptions(dataset, **options).complete())


@pytest.fixture(scope="module")
def pictures_dir(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    fabricate.folder(root, SIZES)
    return root


@pytest.fixture(scope="module")
def converted(pictures_dir, tmp_path_factory):
    out = tmp_path_factory.mktemp("converted") / "out"
    return run("folder", pictures_dir, out), out


def test_tiles_register_and_are_complete(pictures_dir, converted):
    result, out = converted
    manifest = Manifest.load(str(out))
    assert result.manifest == manifest == verify(str(out))
    assert (manifest.pictures, manifest.skipped, manifest.overlap) == (6, 0, 24)
    assert len(manifest.shards) > 2
    assert manifest.shards[0].name == "train-00000-of-%05d.tfrecord" % len(manifest.shards)
    records = fabricate.read_back(out)
    names = ["a%02d" % number for number in range(6)]
    assert sorted(set(record["name"] for record in records)) == names
    assert [record["key"] for record in records] == sorted(set(r["key"] for r in records))
    hr = {name: fabricate.picture(*SIZES[n], n) for n, name in enumerate(names)}
    lr = {(name, s): shrink(hr[name], s) for name in names for s in (2, 3, 4)}
    for record in records:
        y, x, height, width = (record[k] for k in ("y", "x", "height", "width"))
        assert record["key"] == "%s_y%04d_x%04d" % (record["name"], y, x)
        assert not any(value % 12 for value in (y, x, height, width))
        whole = hr[record["name"]]
        np.testing.assert_array_equal(record["hr"], whole[y : y + height, x : x + width])
        for s in (2, 3, 4):
            part = lr[record["name"], s][y // s : (y + height) // s, x // s : (x + width) // s]
            np.testing.assert_array_equal(record["lr_x%d" % s], part)
    covered = {name: np.zeros(SIZES[n], bool) for n, name in enumerate(names)}
    for r in records:
        covered[r["name"]][r["y"] : r["y"] + r["height"], r["x"] : r["x"] + r["width"]] = True
    for seen in covered.values():
        assert seen[: seen.shape[0] // 12 * 12, : seen.shape[1] // 12 * 12].all()


def test_the_same_bytes_with_two_workers(pictures_dir, converted, tmp_path):
    run("folder", pictures_dir, tmp_path / "out", workers=2)
    assert fabricate.contents(tmp_path / "out") == fabricate.contents(converted[1])


def test_given_lr_pictures_give_the_same_records(tmp_path):
    pictures = fabricate.div2k(tmp_path / "set", SIZES[:3])
    run("div2k", tmp_path / "set", tmp_path / "paired")
    run("folder", tmp_path / "set" / "DIV2K_train_HR", tmp_path / "made")
    paired, made = (fabricate.contents(tmp_path / name) for name in ("paired", "made"))
    assert json.loads(paired.pop("manifest.json").decode())["dataset"] == "div2k"
    made.pop("manifest.json")
    assert paired == made and len(pictures) == 3


@pytest.mark.parametrize("encoding", ["png", "raw"])
def test_evaluation_records_hold_whole_pictures(tmp_path, encoding):
    pictures = fabricate.div2k(tmp_path / "set", [(13, 22), (9, 8)], split="valid")
    out = tmp_path / "out"
    run("div2k", tmp_path / "set", out, split="valid", encoding=encoding)
    manifest = verify(str(out))
    assert (manifest.kind, manifest.tile_size, manifest.patch_size) == ("evaluation", 0, 0)
    assert manifest.shards[0].name.startswith("valid-00000-of-")
    records = fabricate.read_back(out)
    assert [record["key"] for record in records] == ["0801", "0804"]
    for record in records:
        hr = pictures[record["name"]]
        np.testing.assert_array_equal(record["hr"], hr)
        for s in (2, 3, 4):
            np.testing.assert_array_equal(record["lr_x%d" % s], shrink(hr, s))


def test_pictures_of_every_kind_become_rgb(tmp_path):
    fabricate.save(fabricate.picture(24, 25, 0)[:, :, 0], tmp_path, "in", "grey.png")
    rgba = np.dstack([fabricate.picture(26, 24, 1), fabricate.picture(26, 24, 2)[:, :, :1]])
    fabricate.save(rgba, tmp_path, "in", "alpha.png")
    run("folder", tmp_path / "in", tmp_path / "out")
    alpha, grey = fabricate.read_back(tmp_path / "out")
    np.testing.assert_array_equal(alpha["hr"], rgba[:24, :24, :3])
    np.testing.assert_array_equal(grey["hr"][:, :, 0], grey["hr"][:, :, 2])


@pytest.mark.parametrize("kind", ["training", "evaluation"])
def test_records_remember_the_channels_of_the_hr_file(tmp_path, kind):
    """Those of colour: of a grey file 1, whatever its LR file has, and nothing of the others."""
    grey = fabricate.picture(26, 24, 0)[:, :, 0]
    stored = {
        "deep": np.stack([grey] * 3, axis=2),
        "grey": grey,
        "greyalpha": np.dstack([grey, 255 - grey]),
        "mixed": grey,
        "sixteen": grey.astype(np.uint16) * 257,
    }
    for name, hr in stored.items():
        fabricate.save(hr, tmp_path, "in/HR", name + ".png")
        lr = shrink(grey, 2) if name != "mixed" else np.stack([shrink(grey, 2)] * 3, axis=2)
        fabricate.save(lr, tmp_path, "in/LR_bicubic/X2", name + "x2.png")
    for workers in (1, 3):
        out = tmp_path / ("out%d" % workers)
        run(
            "benchmark", tmp_path / "in", out, kind=kind, scales=(2,), workers=workers, patch_size=4
        )
        verify(str(out))
    assert fabricate.contents(tmp_path / "out1") == fabricate.contents(tmp_path / "out3")
    found = {record["name"]: record.get("channels") for record in fabricate.read_back(out)}
    assert found == {"deep": None, "grey": 1, "greyalpha": 1, "mixed": 1, "sixteen": 1}
    for record in fabricate.read_back(out):
        assert record["hr"].shape[2] == record["lr_x2"].shape[2] == 3


def cut_short(root):
    path = root / "DIV2K_train_HR" / "0804.png"
    path.write_bytes(path.read_bytes()[:1500])


def no_picture(root):
    (root / "DIV2K_train_HR" / "0804.png").write_text("text")


def wrong_lr_size(root):
    fabricate.save(fabricate.picture(18, 19, 0), root, "DIV2K_train_LR_bicubic", "X2", "0804x2.png")


def too_small(root):
    for folder in root.glob("**/X*"):
        next(folder.glob("0804*")).unlink()
    (root / "DIV2K_train_HR" / "0804.png").unlink()
    (root / "two").mkdir()
    fabricate.div2k(root / "two", [(40, 40), (23, 48)])
    for path in sorted((root / "two").glob("**/0804*.png")):
        shutil.move(str(path), str(root / path.relative_to(root / "two")))


def lr_missing(root):
    (root / "DIV2K_train_LR_bicubic" / "X3" / "0804x3.png").unlink()


@pytest.mark.parametrize(
    "spoil, message, early",
    [
        (cut_short, r"0804.png cannot be decoded, it is damaged or cut short", False),
        (no_picture, r"0804.png is not a picture", True),
        (wrong_lr_size, r"0804x2.png is 19x18, but the LR picture of scale 2 .* is 20x18", True),
        (too_small, r"0804.png is 48x23, too small for a training patch of 6x6 .* 24x24", True),
        (lr_missing, r"0804.png has no LR picture of scale 3", True),
    ],
)
def test_bad_pictures_are_refused_or_left_out(tmp_path, spoil, message, early):
    root, out = tmp_path / "set", tmp_path / "out"
    fabricate.div2k(root, [(48, 52), (37, 41), (60, 25)])
    spoil(root)
    with pytest.raises(UserError, match=message + ".*; --skip_bad leaves") as caught:
        run("div2k", root, out)
    assert "\n" not in str(caught.value)
    assert not early or not out.exists()
    assert not out.exists() or not is_finished(out)
    result = run("div2k", root, out, skip_bad=True)
    assert (result.manifest.pictures, result.manifest.skipped) == (2, 1)
    assert len(result.skipped) == 1 and result.skipped[0][0] == "0804"
    assert {r["name"] for r in fabricate.read_back(out)} == {"0801", "0807"}
    assert verify(str(out)) == result.manifest


def is_finished(folder):
    return (folder / "manifest.json").exists()


def test_nothing_but_bad_pictures(tmp_path):
    fabricate.div2k(tmp_path / "set", [(37, 41)])
    path = tmp_path / "set" / "DIV2K_train_HR" / "0801.png"
    path.write_bytes(path.read_bytes()[:1500])
    for changes in ({"skip_bad": True}, {"skip_bad": True, "patch_size": 30, "tile_size": 240}):
        with pytest.raises(UserError, match="no picture is left to convert: .*0801.png"):
            run("div2k", tmp_path / "set", tmp_path / "out", **changes)
    assert not is_finished(tmp_path / "out")


def advised(error, name):
    """The value that a message advises for a flag."""
    return int(re.search("--%s=([0-9]+)" % name, str(error.value)).group(1))


@pytest.mark.parametrize("scales", [(2, 3, 4), (2,), (3,), (2, 8)])
@pytest.mark.parametrize("sizes", [[(128, 128)], [(131, 700), (600, 500), (97, 99)]])
def test_the_advice_for_small_pictures_helps(tmp_path, scales, sizes):
    fabricate.folder(tmp_path / "in", sizes)
    wish = dict(patch_size=130, tile_size=None, scales=scales)
    with pytest.raises(UserError, match="too small for a training patch") as caught:
        run("folder", tmp_path / "in", tmp_path / "out", **wish)
    # --skip_bad is named where it leaves something.
    assert ("--skip_bad" in str(caught.value)) == (len(sizes) > 1 and max(scales) < 4)
    patch = advised(caught, "patch_size")
    with pytest.raises(UserError, match="too small"):
        run("folder", tmp_path / "in", tmp_path / "out", **dict(wish, patch_size=patch + 1))
    result = run("folder", tmp_path / "in", tmp_path / "out", **dict(wish, patch_size=patch))
    assert result.manifest.pictures == len(sizes) and result.skipped == ()
    # What training says of a larger patch helps too.
    with pytest.raises(UserError) as caught:
        result.manifest.require(scales, "training", patch + 1)
    assert advised(caught, "patch_size") == patch


def test_no_advice_that_does_not_help(tmp_path):
    fabricate.folder(tmp_path / "in", [(3, 3)])
    for changes in ({}, {"skip_bad": True}, {"kind": "evaluation"}):
        with pytest.raises(UserError, match="no picture is left.*too small") as caught:
            run("folder", tmp_path / "in", tmp_path / "out", **changes)
        assert "--skip_bad" not in str(caught.value) and "--patch" not in str(caught.value)


def test_what_is_passed_over_is_counted(tmp_path):
    fabricate.folder(tmp_path / "in", [(37, 41)])
    (tmp_path / "in" / "._a00.png").write_bytes(b"Mac OS X")
    (tmp_path / "in" / "notes.md").write_text("no picture")
    result = run("folder", tmp_path / "in", tmp_path / "out")
    counted = "passed over: 1 hidden or of the system, 1 with another ending (.md)"
    assert result.passed_over == counted


def test_the_name_of_a_set_is_its_own_or_that_of_its_folder(tmp_path):
    fabricate.folder(tmp_path / "Set5" / "HR", [(37, 41)])
    pictures = tmp_path / "Set5" / "HR"
    named = run("folder", pictures, tmp_path / "a")
    assert named.manifest.name == "set"
    by_folder = run("folder", pictures, tmp_path / "b", name=None)
    assert by_folder.manifest.name == "b"
    # Moved, it keeps its name, and is still what was asked for.
    (tmp_path / "b").rename(tmp_path / "moved")
    moved = run("folder", pictures, tmp_path / "moved", name=None)
    assert moved.seconds is None and moved.manifest.name == "b"


def test_max_pixels(tmp_path):
    fabricate.div2k(tmp_path / "set", [(37, 41)])
    with pytest.raises(UserError, match="0801.png announces more than 1000 pixels"):
        run("div2k", tmp_path / "set", tmp_path / "out", max_pixels=1000)


def test_finished_output_is_left_alone(pictures_dir, converted, tmp_path):
    out = converted[1]
    before = fabricate.contents(out)
    again = run("folder", pictures_dir, out)
    assert again.seconds is None and "is whole already" in again.summary()
    for change, message in [
        (dict(scales=(2, 3)), r"--scales=2,3,4, not 2,3; .*--overwrite"),
        (dict(encoding="raw"), "--encoding=png, not raw"),
        (dict(tile_size=48), "--tile_size=36, not 48"),
        (dict(kind="evaluation"), "--kind=training, not evaluation"),
        (dict(name="other"), "--name=set, not other"),
    ]:
        with pytest.raises(UserError, match=message):
            run("folder", pictures_dir, out, **change)
    assert fabricate.contents(out) == before


def test_overwrite_replaces_the_old_data_at_the_end(pictures_dir, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run("folder", pictures_dir, out)
    before = fabricate.contents(out)
    with monkeypatch.context() as patch:
        patch.setattr(here, "write_shard", failing(OSError(errno.ENOSPC, "No space left")))
        with pytest.raises(UserError, match="No space left"):
            run("folder", pictures_dir, out, overwrite=True, encoding="raw", scales=(2,))
    left = fabricate.contents(out)
    assert {name: left[name] for name in before} == before
    assert verify(str(out)).encoding == "png"
    run("folder", pictures_dir, out, overwrite=True, shard_bytes=10**6, scales=(2,))
    assert sorted(os.listdir(str(out))) == ["manifest.json", "train-00000-of-00001.tfrecord"]
    assert verify(str(out)).scales == (2,)


def failing(error):
    def fail(*unused, **unused_too):
        raise error

    return fail


def test_foreign_tfrecords_are_not_replaced_unasked(pictures_dir, tmp_path):
    foreign = tmp_path / "train-00000-of-00001.tfrecord"
    foreign.write_bytes(b"not ours")
    with pytest.raises(UserError, match="TFRecords without a manifest"):
        run("folder", pictures_dir, tmp_path)
    assert foreign.read_bytes() == b"not ours"


def test_a_second_conversion_into_the_same_folder_is_refused(pictures_dir, tmp_path):
    with Output(str(tmp_path / "out"), "train", {}):
        with pytest.raises(UserError, match="another conversion is writing"):
            run("folder", pictures_dir, tmp_path / "out")
    run("folder", pictures_dir, tmp_path / "out")


def test_output_that_cannot_be_written(pictures_dir, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file/out cannot be written: Not a directory"):
        run("folder", pictures_dir, tmp_path / "file" / "out")


@pytest.fixture
def interrupted(pictures_dir, tmp_path, monkeypatch):
    """An output folder whose conversion was cut off inside its third shard."""

    def stop_after(function, items, workers):
        for number, item in enumerate(items):
            if number == 5:
                raise KeyboardInterrupt
            yield function(item)

    with monkeypatch.context() as patch:
        patch.setattr(here, "ordered", stop_after)
        with pytest.raises(KeyboardInterrupt):
            run("folder", pictures_dir, tmp_path / "out")
    return tmp_path / "out"


def counted(monkeypatch):
    calls = []
    encode = here.encode_picture
    monkeypatch.setattr(
        here, "encode_picture", lambda p, options: calls.append(p.name) or encode(p, options)
    )
    return calls


def test_a_killed_run_continues(pictures_dir, converted, interrupted, monkeypatch):
    left = sorted(os.listdir(str(interrupted)))
    assert left[0] == "journal.incomplete" and all(n.endswith(".incomplete") for n in left)
    calls = counted(monkeypatch)
    run("folder", pictures_dir, interrupted)
    assert 0 < len(calls) < 6 and len(set(calls)) == len(calls)
    assert fabricate.contents(interrupted) == fabricate.contents(converted[1])


def changed_entry(out, **changes):
    """Writes other values into the entry of the first shard."""
    path = out / "train-00000.json.incomplete"
    path.write_text(json.dumps(dict(json.loads(path.read_text()), **changes)))


@pytest.mark.parametrize(
    "damage, most_kept",
    [
        (lambda out: (out / "train-00000.tfrecord.incomplete").write_bytes(b"x"), 5),
        (lambda out: (out / "train-00001.tfrecord.incomplete").unlink(), 5),
        (lambda out: (out / "train-00000.json.incomplete").write_bytes(b"\xff"), 5),
        (lambda out: changed_entry(out, records="1"), 5),
        (lambda out: changed_entry(out, file="../train-00000.tfrecord.incomplete"), 5),
        (lambda out: changed_entry(out, skipped=[1]), 5),
        (lambda out: changed_entry(out, another=1), 5),
        (lambda out: (out / "journal.incomplete").write_bytes(b"\xff{]"), 0),
        (lambda out: (out / "journal.incomplete").write_text("3\n[]\n"), 0),
        (
            lambda out: os.truncate(
                str(out / "journal.incomplete"), (out / "journal.incomplete").stat().st_size - 9
            ),
            5,
        ),
    ],
)
def test_whatever_the_kill_left(
    pictures_dir, converted, interrupted, monkeypatch, damage, most_kept
):
    damage(interrupted)
    calls = counted(monkeypatch)
    run("folder", pictures_dir, interrupted)
    assert len(calls) >= 6 - most_kept
    assert fabricate.contents(interrupted) == fabricate.contents(converted[1])


def test_other_flags_or_pictures_start_afresh(pictures_dir, interrupted, monkeypatch, tmp_path):
    calls = counted(monkeypatch)
    copy = tmp_path / "copy"
    shutil.copytree(str(pictures_dir), str(copy))
    other = tmp_path / "other"
    shutil.copytree(str(interrupted), str(other))
    run("folder", pictures_dir, other, shard_bytes=50000)
    assert len(calls) == 6
    del calls[:]
    os.utime(str(pictures_dir / "a00.png"), (1, 1))
    run("folder", pictures_dir, interrupted)
    # The shard of that picture, and what was not whole.
    assert "a00" in calls and 1 < len(calls) < 6


@pytest.mark.parametrize("moment", ["first rename", "manifest", "journal"])
def test_killed_while_the_names_are_given(pictures_dir, converted, tmp_path, monkeypatch, moment):
    replace, remove = os.replace, os.unlink
    out = tmp_path / "out"

    def break_replace(source, target):
        name = os.path.basename(str(target))
        if (moment == "manifest" and name == "manifest.json") or (
            moment == "first rename" and "-00001-of-" in name
        ):
            raise KeyboardInterrupt
        replace(source, target)

    def break_remove(path):
        if moment == "journal" and str(path).endswith("journal.incomplete"):
            raise KeyboardInterrupt
        remove(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", break_replace)
        patch.setattr(os, "unlink", break_remove)
        with pytest.raises(KeyboardInterrupt):
            run("folder", pictures_dir, out)
    calls = counted(monkeypatch)
    run("folder", pictures_dir, out)
    assert calls == []
    expected = fabricate.contents(converted[1])
    assert {k: v for k, v in fabricate.contents(out).items() if k in expected} == expected


def test_bad_pictures_are_still_counted_after_a_restart(tmp_path, monkeypatch):
    fabricate.folder(tmp_path / "in", [(60, 60)] * 6)
    first = tmp_path / "in" / "a00.png"
    first.write_bytes(first.read_bytes()[:1500])
    with monkeypatch.context() as patch:
        patch.setattr(Output, "publish", failing(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            run("folder", tmp_path / "in", tmp_path / "out", skip_bad=True)
    result = run("folder", tmp_path / "in", tmp_path / "out", skip_bad=True)
    assert (result.manifest.pictures, result.manifest.skipped) == (5, 1)
    assert result.skipped[0][0] == "a00"


def test_no_space_left(pictures_dir, converted, tmp_path):
    out = tmp_path / "out"
    largest = max(shard.bytes for shard in converted[0].manifest.shards)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest - 100, hard))
    try:
        with pytest.raises(UserError, match="out cannot be written .*make room .*continues"):
            run("folder", pictures_dir, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert all(name.endswith(".incomplete") for name in os.listdir(str(out)))
    run("folder", pictures_dir, out)
    assert fabricate.contents(out) == fabricate.contents(converted[1])


def test_other_trouble_with_files_is_said(pictures_dir, tmp_path, monkeypatch):
    for error, message in [
        (OSError(errno.EIO, "Input/output error", "disk"), "failed: disk: Input/output error"),
        (OSError(errno.EACCES, "Permission denied"), "out: Permission denied"),
    ]:
        monkeypatch.setattr(here, "write_shard", failing(error))
        with pytest.raises(UserError, match=message):
            run("folder", pictures_dir, tmp_path / "out")


def test_a_picture_that_does_not_fit_into_memory(tmp_path, monkeypatch):
    fabricate.folder(tmp_path / "in", [(24, 24)])
    monkeypatch.setattr(encoding, "read_colours", failing(MemoryError()))
    with pytest.raises(UserError, match="a00.png does not fit into memory; try fewer --workers"):
        run("folder", tmp_path / "in", tmp_path / "out")


def test_what_signals_do():
    alone.run(__file__, "test_told_to_stop", 1)


@alone.test
def test_told_to_stop(pictures_dir, converted, tmp_path, monkeypatch):
    encode = here.encode_picture

    def encode_and_interrupt(picture, options):
        if picture.name == "a03":
            os.kill(os.getpid(), signal.SIGTERM)
        return encode(picture, options)

    before = signal.getsignal(signal.SIGTERM)
    with monkeypatch.context() as patch:
        patch.setattr(here, "encode_picture", encode_and_interrupt)
        with pytest.raises(Stopped, match="of 6 pictures are converted; the same") as caught:
            run("folder", pictures_dir, tmp_path / "out")
    assert caught.value.number == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before
    run("folder", pictures_dir, tmp_path / "out")
    assert fabricate.contents(tmp_path / "out") == fabricate.contents(converted[1])


def test_in_a_thread(pictures_dir, tmp_path):
    results = []
    thread = threading.Thread(
        target=lambda: results.append(run("folder", pictures_dir, tmp_path / "out"))
    )
    thread.start()
    thread.join()
    assert results[0].manifest.pictures == 6


def test_a_name_in_the_input_cannot_lead_out(tmp_path):
    fabricate.save(fabricate.picture(24, 24, 0), tmp_path, "in", "t.png")
    hostile = "a\n..%s" % ("y" * 200)
    os.rename(str(tmp_path / "in" / "t.png"), str(tmp_path / "in" / (hostile + ".png")))
    run("folder", tmp_path / "in", tmp_path / "out")
    key = fabricate.read_back(tmp_path / "out")[0]["key"]
    assert key.startswith("a_..yyy") and len(key) < 130
    assert sorted(os.listdir(str(tmp_path))) == ["in", "out"]


def spoiled(out, change):
    manifest = json.loads((out / "manifest.json").read_text())
    change(manifest)
    (out / "manifest.json").write_text(json.dumps(manifest))


def of_version_1(manifest, **changes):
    """Makes a manifest one of the first version, which tells no sizes."""
    manifest.update(changes, format_version=1)
    for shard in manifest["shards"]:
        del shard["sizes"]


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    "damage, message",
    [
        (lambda out, shards: flip(shards[1], 3000), r"train-00001-of-.*record \d+: its checksum"),
        (lambda out, shards: shards[0].unlink(), "train-00000-of-.* is missing"),
        (lambda out, shards: os.truncate(str(shards[0]), 9000), "9000 bytes where its manifest"),
        (
            lambda out, shards: shutil.copy(str(shards[0]), str(out / "x-00000-of-00001.tfrecord")),
            "is not in the manifest beside it",
        ),
        (
            lambda out, shards: spoiled(out, lambda m: of_version_1(m, pictures=7)),
            "holds 6 pictures where its manifest says 7",
        ),
        (lambda out, shards: spoiled(out, lambda m: m.update(encoding="raw")), "not raw"),
        (
            lambda out, shards: spoiled(out, lambda m: of_version_1(m, scales=[2, 3, 4, 8])),
            r"not a record of this format \('image/lr_x8/height'\)",
        ),
        (
            lambda out, shards: spoiled(out, lambda m: m["shards"][0].update(crc32c=1)),
            "checksum is not that of the manifest",
        ),
        (
            # As many tiles, but others.
            lambda out, shards: spoiled(out, lambda m: m["shards"][1]["sizes"].reverse()),
            r"record 1: it shows 24x36 pixels at 0,0, not the part that its manifest tells",
        ),
    ],
)
def test_verify_finds(converted, tmp_path, damage, message):
    out = tmp_path / "out"
    shutil.copytree(str(converted[1]), str(out))
    damage(out, sorted(out.glob("*.tfrecord")))
    with pytest.raises(UserError, match=message):
        verify(str(out))


def test_records_of_version_1_are_whole_too(converted, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(str(converted[1]), str(out))
    spoiled(out, of_version_1)
    assert verify(str(out)).format_version == 1


def test_the_manifest_tells_the_size_of_each_picture_where_it_lies(tmp_path):
    """Also where pictures are left out: one between two, and all that would have been a shard."""
    fabricate.folder(tmp_path / "in", SIZES)
    for name in ("a02", "a04"):
        path = tmp_path / "in" / (name + ".png")
        path.write_bytes(path.read_bytes()[:1500])
    result = run("folder", tmp_path / "in", tmp_path / "out", skip_bad=True)
    # By their sizes alone: a00; a01, a02 and a03; a04; a05.
    held = [shard.sizes for shard in result.manifest.shards]
    assert held == [("100x53",), ("41x37", "48x48"), ("24x24",)]
    assert [shard.picture_sizes for shard in result.manifest.shards][1] == [(37, 41), (48, 48)]
    assert (result.manifest.pictures, result.manifest.skipped) == (4, 2)
    verify(str(tmp_path / "out"))
    # The bytes of a shard do not hang on what the others hold.
    whole = run("folder", tmp_path / "in", tmp_path / "raw", skip_bad=True, encoding="raw")
    assert whole.manifest.skipped == 2


def test_trailing_bad_pictures_are_counted(tmp_path):
    fabricate.folder(tmp_path / "in", SIZES)
    path = tmp_path / "in" / "a05.png"
    path.write_bytes(path.read_bytes()[:500])
    result = run("folder", tmp_path / "in", tmp_path / "out", skip_bad=True)
    assert (result.manifest.pictures, result.manifest.skipped) == (5, 1)
    verify(str(tmp_path / "out"))


@settings(max_examples=20)
@given(st.binary(max_size=60))
def test_any_bytes_in_the_journal(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("journal")
    (folder / output_module.JOURNAL).write_bytes(b'{"a": 1}\n' + data)
    with Output(str(folder), "train", {"a": 1}) as output:
        output.resume([])
        assert output.entries == {} and output.covers([]) == 0


def test_size_in_words():
    assert [size_in_words(n) for n in (812, 3140000, 98 * 10**8)] == [
        "812 bytes",
        "3.1 MB",
        "9.8 GB",
    ]
