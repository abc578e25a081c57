"""What of predict's results counts as finished, what they are called, and who may replace them."""

import os
import signal
import subprocess
import sys
import time
import unicodedata

import numpy as np
import pytest
from PIL import Image

from bsrn_estimator import files
from bsrn_estimator.checkpoints import trained
from bsrn_estimator.errors import RunFailed
from bsrn_estimator.inference import job, predict
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.pictures import results
from bsrn_estimator.pictures.imresize import enlarge, shrink
from bsrn_estimator.pictures.picture import to_uint8
from tests.support import tiny
from tests.support.disk import small_disk


def _save(path, picture, **kwargs):
    os.makedirs(os.path.dirname(str(path)), exist_ok=True)
    Image.fromarray(picture).save(str(path), **kwargs)
    return picture


def _decodes(path):
    try:
        return _load(path) is not None
    except OSError:
        return False


def _load(path):
    with Image.open(str(path)) as image:
        return np.asarray(image)


def _tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def _last_line(capsys):
    return capsys.readouterr().out.splitlines()[-1]


@pytest.mark.parametrize(
    "first, second",
    [
        ({"tile": 24, "tile_overlap": 0}, {"tile": 24, "tile_overlap": 8}),
        ({"tile": 24, "tile_overlap": 8}, {"tile": 30, "tile_overlap": 8}),
        ({"tile": 24, "tile_overlap": 0}, {}),
        ({}, {"self_ensemble": True}),
        ({}, {"first_output": 1}),
        ({"output_format": "jpeg"}, {"output_format": "jpeg", "quality": 50}),
        ({"output_format": "webp"}, {"output_format": "webp", "quality": 50}),
    ],
)
def test_a_setting_that_the_result_depends_on_makes_it_again(options, tmp_path, first, second):
    _save(tmp_path / "in" / "a.png", tiny.picture(0, 41, 50))
    for name, kwargs in [("out", first), ("out", second), ("right", second)]:
        assert predict.run(options(output_dir=str(tmp_path / name), **kwargs)) == 0
    (path,) = _tree(tmp_path / "right")
    assert (tmp_path / "out" / path).read_bytes() == (tmp_path / "right" / path).read_bytes()


def test_what_it_does_not_depend_on_makes_nothing_again(options, tmp_path, capsys):
    _save(tmp_path / "in" / "a.png", tiny.picture(0, 21, 20))
    assert predict.run(options(tile=40, tile_overlap=8, compare=True)) == 0
    # One tile holds the picture, whatever its size; nothing of bicubic depends on the network.
    before = os.stat(str(tmp_path / "out" / "x4_bicubic" / "a.png")).st_mtime_ns
    assert predict.run(options(tile=50, tile_overlap=10, max_pixels=500)) == 0
    assert "0 results written, 1 were finished before: " in _last_line(capsys)
    assert predict.run(options(first_output=1, compare=True)) == 0
    assert "1 result written, 1 in place of earlier ones, 1 were finished" in _last_line(capsys)
    assert os.stat(str(tmp_path / "out" / "x4_bicubic" / "a.png")).st_mtime_ns == before


@pytest.mark.parametrize("output_format", results.FORMATS)
@pytest.mark.parametrize("damage", ["cut", "zeros"])
def test_half_a_result_is_made_again(options, tmp_path, output_format, damage):
    _save(tmp_path / "in" / "a.png", tiny.picture(0, 41, 50))
    run = options(output_format=output_format)
    assert predict.run(run) == 0
    (name,) = _tree(tmp_path / "out")
    path = tmp_path / "out" / name
    whole = path.read_bytes()
    middle = len(whole) // 2
    if damage == "cut" and output_format == "webp":
        pytest.skip("the record of a WebP stands at its end; what is cut is nobody's")
    path.write_bytes(
        whole[:middle] + (b"" if damage == "cut" else bytes(99) + whole[middle + 99 :])
    )
    if output_format != "png" and damage == "zeros":
        # Where it decodes all the same, it may be somebody's work; it never counts as finished.
        spoilt = path.read_bytes()
        expected = (1, spoilt) if _decodes(path) else (0, whole)
        assert (predict.run(run), path.read_bytes()) == expected
        status = predict.run(options(output_format=output_format, overwrite=True))
    else:
        status = predict.run(run)
    assert status == 0 and path.read_bytes() == whole


def test_a_result_that_somebody_changed_is_left_alone(options, tmp_path, capsys):
    _save(tmp_path / "in" / "a.png", tiny.picture(0, 21, 20))
    assert predict.run(options()) == 0
    path = tmp_path / "out" / "x4" / "a.png"
    with Image.open(str(path)) as image:
        from PIL import PngImagePlugin

        texts = PngImagePlugin.PngInfo()
        texts.add_text("bsrn_estimator", image.info["bsrn_estimator"])
        image.transpose(Image.FLIP_LEFT_RIGHT).save(str(path), pnginfo=texts)
    changed = path.read_bytes()
    assert predict.run(options()) == 1
    assert "a.png was changed since this command made it" in capsys.readouterr().err
    assert path.read_bytes() == changed
    assert predict.run(options(overwrite=True)) == 0
    assert results.is_whole(str(path))


def test_a_result_of_the_first_version_is_made_again(options, tmp_path):
    _save(tmp_path / "in" / "a.png", tiny.picture(0, 21, 20))
    from PIL import PngImagePlugin

    texts = PngImagePlugin.PngInfo()
    texts.add_text("bsrn_estimator", '{"network": "x", "scale": 4, "kind": "ensemble"}')
    os.makedirs(str(tmp_path / "out" / "x4"))
    Image.new("RGB", (80, 84)).save(str(tmp_path / "out" / "x4" / "a.png"), pnginfo=texts)
    assert predict.run(options()) == 0
    assert results.record_of(str(tmp_path / "out" / "x4" / "a.png"))["source"] == "a.png"


@pytest.mark.parametrize("output", ["in", "in/x4", "in/deep/out", ".", "out"])
def test_results_never_become_sources(options, tmp_path, output):
    pictures = ["a.png", "deep/b.jpg"]
    for name in pictures:
        _save(tmp_path / "in" / name, tiny.picture(0, 9, 11))
    for _ in range(3):
        run = options(output_dir=str(tmp_path / output), compare=True)
        assert predict.run(run) == 0
    assert len(_tree(tmp_path)) == 2 + 4
    # By a pattern too.
    run = options(input=str(tmp_path / "in" / "**"), output_dir=str(tmp_path / output))
    assert predict.run(run) == 0
    assert len(_tree(tmp_path)) == 2 + 4


def test_names_that_would_meet(options, tmp_path, capsys):
    """In one command, and from one command to the next."""
    seeds = {"a.jpg": 1, "a.bmp": 2, "b.bmp": 3}
    for name, seed in seeds.items():
        _save(tmp_path / "in" / name, tiny.picture(seed, 9, 11))
    assert predict.run(options()) == 0
    assert _tree(tmp_path / "out") == ["x4/a.bmp.png", "x4/a.jpg.png", "x4/b.png"]
    made = {}
    for name in seeds:
        output = str(tmp_path / "singly")
        assert predict.run(options(input=str(tmp_path / "in" / name), output_dir=output)) == 0
        made[name] = _last_line(capsys).split(": ")[1]
    assert made["a.jpg"].endswith("x4/a.png") and made["a.bmp"].endswith("x4/a.bmp.png")
    for name, path in made.items():
        record = results.record_of(path)
        assert record["source"] == name
        # Repeated, each command finds its own.
        run = options(input=str(tmp_path / "in" / name), output_dir=str(tmp_path / "singly"))
        assert predict.run(run) == 0
        assert _last_line(capsys) == "0 results written, 1 were finished before: " + path


def test_names_of_a_mac(options, tmp_path):
    hr = tiny.picture(0, 40, 44)
    for forms in (("NFC", "NFD"), ("NFD", "NFC")):
        name = "f\u00fcr %s.png" % forms[0]
        _save(tmp_path / "hr" / unicodedata.normalize(forms[0], name), hr)
        _save(tmp_path / "in" / unicodedata.normalize(forms[1], name), shrink(hr, 4))
    assert predict.run(options(hr_dir=str(tmp_path / "hr"))) == 0
    assert len(_tree(tmp_path / "out")) == 3


def test_hr_pictures_that_are_not_those(options, tmp_path, capsys):
    """Of another scale, turned, cropped, twice there: nothing is compared or computed."""
    hr = tiny.picture(0, 64, 48)
    pairs = {
        "right": (shrink(hr, 4), hr),
        "other_scale": (shrink(hr, 2), hr),
        "turned": (shrink(hr, 4).transpose(1, 0, 2), hr),
        "larger": (shrink(hr, 4)[:-1], hr),
        "twice": (shrink(hr, 4), hr),
    }
    for name, (lr, large) in pairs.items():
        _save(tmp_path / "in" / (name + "x4.png"), lr)
        _save(tmp_path / "hr" / (name + ".png"), large)
    _save(tmp_path / "hr" / "twice.bmp", hr)
    assert predict.run(options(hr_dir=str(tmp_path / "hr"))) == 1
    errors = capsys.readouterr().err
    for name in ("other_scale", "turned", "larger"):
        assert "%sx4.png is" % name in errors and "but the LR picture of scale 4" in errors
    assert "twice.bmp and twice.png are two pictures of one name" in errors
    assert _tree(tmp_path / "out") == ["metrics.json", "x4/rightx4.png"]


@pytest.mark.parametrize("background", [0, 255])
@pytest.mark.parametrize("form", ["rgba", "grey", "16 bit", "palette", "gif", "webp"])
def test_no_outline_around_cut_outs(golden, options, tmp_path, background, form):
    """What is stored outside is not to be seen inside, in the network's result and in bicubic."""
    y, x = np.mgrid[:40, :44]
    inside = (y - 20) ** 2 + (x - 22) ** 2 < 200
    value = 230 if background == 0 else 20
    pixels = np.full((40, 44, 4), background, np.uint8)
    pixels[inside] = value
    pixels[..., 3] = 255 * inside
    path = tmp_path / "in" / "a.png"
    if form == "grey":
        _save(path, pixels[..., 2:])
    elif form == "16 bit":
        import cv2

        assert cv2.imwrite(str(path), pixels.astype(np.uint16) * 257)
    elif form in ("palette", "gif"):
        image = Image.fromarray(inside.astype(np.uint8), "P")
        image.putpalette([background] * 3 + [value] * 3)
        image.save(str(path.with_suffix(".gif" if form == "gif" else ".png")), transparency=0)
    elif form == "webp":
        _save(path.with_suffix(".webp"), pixels, lossless=True, exact=True)
    else:
        _save(path, pixels)
    assert predict.run(options(compare=True)) == 0
    flat = np.full((40, 44, 3), value, np.uint8)
    with Upscaler(trained.TrainedNetwork(golden.checkpoint, golden.network)) as upscaler:
        whole = upscaler.upscale(flat, 4)
    if form == "grey":
        whole = (whole @ np.array([0.299, 0.587, 0.114]))[..., np.newaxis]
    for folder, allowed in [("x4", 3), ("x4_bicubic", 0)]:
        with Image.open(str(tmp_path / "out" / folder / "a.png")) as image:
            result = np.asarray(image.convert("RGBA")).astype(int)
        seen = result[..., 3] > 0
        expected = enlarge(flat, 4) if folder == "x4_bicubic" else to_uint8(whole)
        away = np.zeros(seen.shape, bool)
        away[16:-16, 16:-16] = True  # the zeros around the picture are the network's own
        seen &= away
        assert seen.any()
        assert np.abs(result[..., :3] - expected)[seen].max() <= allowed


def test_transparency_and_jpeg(options, tmp_path, capsys):
    rgba = np.dstack([tiny.picture(0, 9, 11), np.full((9, 11, 1), 255, np.uint8)])
    _save(tmp_path / "in" / "opaque.png", rgba)
    rgba[3, 3, 3] = 254
    _save(tmp_path / "in" / "cut.png", rgba)
    assert predict.run(options(output_format="jpeg")) == 1
    assert "cut.png has transparent parts, which JPEG does not hold" in capsys.readouterr().err
    assert _tree(tmp_path / "out") == ["x4/opaque.jpg"]
    assert predict.run(options(output_format="webp")) == 0
    assert _load(tmp_path / "out" / "x4" / "cut.webp").shape == (36, 44, 4)


def test_first_frame(options, tmp_path, capsys):
    frames = [Image.fromarray(tiny.picture(seed, 9, 11)) for seed in (1, 2)]
    for name in ("a.gif", "b.webp", "c.tif"):
        frames[0].save(str(tmp_path / "in" / name), save_all=True, append_images=frames[1:])
    assert predict.run(options()) == 1
    assert capsys.readouterr().err.count("--first_frame takes the first") == 3
    assert predict.run(options(first_frame=True)) == 0
    assert _tree(tmp_path / "out") == ["x4/a.png", "x4/b.png", "x4/c.png"]
    assert "3 results written: %s" % (tmp_path / "out") == _last_line(capsys)


def test_the_last_line_and_what_was_passed_over(options, tmp_path, capsys):
    _save(tmp_path / "in" / "a.jpg", tiny.picture(0, 9, 11))
    (tmp_path / "in" / "._a.jpg").write_bytes(b"Mac OS X")
    (tmp_path / "in" / "notes.txt").write_text("none")
    assert predict.run(options()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2] == "passed over: 1 hidden or of the system, 1 with another ending (.txt)"
    assert lines[-1] == "1 result written: %s" % (tmp_path / "out" / "x4" / "a.png")
    assert predict.run(options(compare=True)) == 0
    expected = "1 result written, 1 were finished before: %s" % (tmp_path / "out")
    assert _last_line(capsys) == expected


def test_a_full_disk_stops_at_the_first_picture(options, tmp_path, capsys, monkeypatch):
    for number in range(5):
        noise = np.random.RandomState(number).randint(0, 256, (40, 40, 3)).astype(np.uint8)
        _save(tmp_path / "in" / ("%d.png" % number), noise)
    begun = []
    read = job.read_picture
    monkeypatch.setattr(job, "read_picture", lambda *a, **k: begun.append(1) or read(*a, **k))
    with small_disk(tmp_path / "disk", 120) as disk:
        run = options(output_dir=str(disk / "out"))
        with pytest.raises(
            RunFailed, match="cannot be written .No space left on device.; make room"
        ):
            predict.run(run)
        assert len(begun) == 2
        assert capsys.readouterr().out.splitlines()[-1].startswith("1 result written: ")
        assert _tree(disk) == ["out/x4/0.png"]


def _command(golden, folder, *arguments):
    command = [sys.executable, "-m", "bsrn_estimator.main", "--mode=predict", "--device=cpu"]
    command += ["--checkpoint=" + golden.checkpoint, "--recursions=4", "--recursion_frequency=2"]
    command += ["--input=%s" % (folder / "in"), "--output_dir=%s" % (folder / "out")]
    return command + list(arguments)


def _files_whole(folder, count):
    paths = sorted(folder.rglob("*"))
    assert len([path for path in paths if path.is_file()]) == count, paths
    return all(results.is_whole(str(path)) for path in paths if path.is_file())


def test_two_commands_share_one_folder(golden, options, tmp_path, root):
    for number in range(6):
        _save(tmp_path / "in" / ("%d.png" % number), tiny.picture(number, 60, 70))
    commands = [
        subprocess.Popen(
            _command(golden, tmp_path, "--tile=40"),
            cwd=str(root),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        for _ in range(2)
    ]
    outputs = [command.communicate(timeout=200) for command in commands]
    assert [command.returncode for command in commands] == [0, 0], outputs
    assert _files_whole(tmp_path / "out", 6)
    written = [int(output[0].splitlines()[-1].split()[0]) for output in outputs]
    assert sum(written) == 6, outputs


def test_what_another_command_holds_is_waited_for(options, tmp_path, capsys):
    """The result appears while this command waits, and is not made twice."""
    for name in ("a", "b"):
        _save(tmp_path / "in" / (name + ".png"), tiny.picture(0, 9, 11))
    assert predict.run(options()) == 0
    path = tmp_path / "out" / "x4" / "a.png"
    content = path.read_bytes()
    path.unlink()
    (tmp_path / "out" / "x4" / "b.png").unlink()
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, time\n"
            "from bsrn_estimator import files\n"
            "content = open(sys.argv[2], 'rb').read()\n"
            "with files.written_whole(sys.argv[1], 'wb') as file:\n"
            "    print('held', flush=True)\n"
            "    sys.stdin.readline()\n"
            "    file.write(content)\n",
            str(path),
            str(tmp_path / "content"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        universal_newlines=True,
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
    )
    try:
        (tmp_path / "content").write_bytes(content)
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(files.Busy):
            files.hold_aside(str(path), wait=False)
        attempts = []
        upscale = job.Job._upscale

        def watched(self, file, picture, scale, todo, wait):
            attempts.append((file.relative, wait))
            if wait:  # b is done; now the other command finishes a
                assert (tmp_path / "out" / "x4" / "b.png").exists()
                holder.stdin.write("\n")
                holder.stdin.flush()
            return upscale(self, file, picture, scale, todo, wait)

        job.Job._upscale = watched
        try:
            assert predict.run(options()) == 0
        finally:
            job.Job._upscale = upscale
    finally:
        holder.communicate(timeout=60)
    assert attempts == [("a.png", False), ("b.png", False), ("a.png", True)]
    assert path.read_bytes() == content
    assert "1 result written, 1 were finished before" in _last_line(capsys)


def test_a_kill_leaves_nothing_that_counts(golden, options, tmp_path, root):
    _save(tmp_path / "in" / "a.png", tiny.picture(0, 300, 300))
    aside = tmp_path / "out" / "x4" / "a.png.incomplete"
    command = _command(golden, tmp_path, "--tile=40")
    killed = subprocess.Popen(
        command, cwd=str(root), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    limit = time.monotonic() + 120
    while not aside.exists() and killed.poll() is None and time.monotonic() < limit:
        time.sleep(0.02)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert _tree(tmp_path / "out") == ["x4/a.png.incomplete"]
    done = subprocess.run(command, cwd=str(root), stdout=subprocess.PIPE)
    assert done.returncode == 0
    assert _tree(tmp_path / "out") == ["x4/a.png"] and _files_whole(tmp_path / "out", 1)
