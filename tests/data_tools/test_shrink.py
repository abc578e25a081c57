"""Shrinking a folder of pictures: the pixels, the files, and what is refused."""

import fractions
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from data_tools import shrink
from tests.support import fabricate, refusals

THIRD = fractions.Fraction(1, 3)


def main(*arguments):
    return shrink.main([str(argument) for argument in arguments])


def flags(tmp_path, factor="1/3"):
    return f"--input_dir={tmp_path / 'in'}", f"--output_dir={tmp_path / 'out'}", "--factor", factor


def read(path):
    with Image.open(str(path)) as image:
        assert (image.format, image.mode) == ("PNG", "RGB")
        return np.asarray(image)


@given(
    st.integers(1, 23),
    st.integers(1, 23),
    st.fractions(min_value=fractions.Fraction(1, 50), max_value=1),
)
@settings(deadline=None)
def test_sides_are_rounded_down_and_grey_stays(height, width, factor):
    grey = np.full((height, width, 3), 77, np.uint8)
    found = shrink.shrunk(grey, factor)
    assert found.shape == (max(1, int(height * factor)), max(1, int(width * factor)), 3)
    assert found.dtype == np.uint8 and np.all(found == 77)


def test_what_the_smaller_grid_cannot_hold_goes_and_the_rest_stays():
    rows, columns = np.mgrid[:90, :120]
    wave = 127 + 60 * np.sin(columns / 15)
    checkers = 40 * (-1) ** (rows + columns)
    both = np.repeat((wave + checkers).round().astype(np.uint8)[..., None], 3, 2)
    found = shrink.shrunk(both, THIRD)[3:-3, 3:-3, 1]
    centres = 3 * np.arange(3, 37) + 1  # of the blocks of three that a pixel stands for
    assert np.abs(found - (127 + 60 * np.sin(centres / 15))).max() < 2


def test_a_folder(tmp_path, capsys):
    one, two = fabricate.picture(31, 47, 1), fabricate.picture(14, 9, 2)
    fabricate.save(one, tmp_path, "in", "one.png")
    fabricate.save(two, tmp_path, "in", "deep", "two.bmp")
    fabricate.save(two[..., 0], tmp_path, "in", "one.bmp")
    (tmp_path / "in" / "notes.txt").write_text("")
    (tmp_path / "out").mkdir()
    assert main(*flags(tmp_path)) == 0
    output = capsys.readouterr().out
    assert "out: 3 pictures, their sides shrunk to 1/3\n" in output
    assert "passed over: 1 with another ending (.txt)\n" in output
    files = sorted(str(path.relative_to(tmp_path / "out")) for path in tmp_path.rglob("out/**/*.*"))
    assert files == ["deep/two.png", "one.bmp.png", "one.png"]
    assert np.array_equal(read(tmp_path / "out/one.png"), shrink.shrunk(one, THIRD))
    assert read(tmp_path / "out/deep/two.png").shape == (4, 3, 3)
    assert np.ptp(read(tmp_path / "out/one.bmp.png"), axis=2).max() == 0
    assert sorted(os.listdir(str(tmp_path))) == ["in", "out"]
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o777 & ~umask


@pytest.mark.parametrize("factor", ["0", "1.01", "-1/3", "third", "1/0", "nan"])
def test_factors_that_are_none(tmp_path, capsys, factor):
    with pytest.raises(SystemExit) as ended:
        main(*flags(tmp_path)[:2], f"--factor={factor}")
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "--factor: takes a number above 0 and at most 1" in error and "not " + factor in error


def test_a_bad_picture_leaves_nothing(tmp_path, capsys):
    fabricate.save(fabricate.picture(31, 47, 1), tmp_path, "in", "a.png")
    (tmp_path / "in" / "b.png").write_bytes(b"no picture")
    assert main(*flags(tmp_path)) == 2
    assert "b.png is not a picture" in capsys.readouterr().err
    assert os.listdir(str(tmp_path)) == ["in"]


def test_folders_that_are_refused(tmp_path, capsys):
    def error():
        assert main(*flags(tmp_path)) == 2
        return refusals.sentence(capsys.readouterr().err)

    assert "in is not a folder; check --input_dir" in error()
    (tmp_path / "in").mkdir()
    assert "in holds no picture" in error()
    (tmp_path / "in" / "a.png").symlink_to(tmp_path / "a.png")
    fabricate.save(fabricate.picture(9, 9, 1), tmp_path, "a.png")
    assert "a.png is a symbolic link out of the input folder; put the picture itself" in error()
    (tmp_path / "in" / "a.png").unlink()
    (tmp_path / "a.png").rename(tmp_path / "in" / "a.png")
    fabricate.save(fabricate.picture(9, 9, 1), tmp_path, "out", "mine.png")
    assert "out exists and is not empty; name another folder" in error()
    assert os.listdir(str(tmp_path / "out")) == ["mine.png"]
    (tmp_path / "file").write_text("")
    below = f"--output_dir={tmp_path}/file/out"
    assert main(flags(tmp_path)[0], below, "--factor=1") == 2
    assert "file/out cannot be written" in refusals.sentence(capsys.readouterr().err)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_told_to_stop(root, tmp_path, number):
    pixels = fabricate.picture(300, 300, 1)
    for name in range(400):
        fabricate.save(pixels, tmp_path, "in", "%03d.bmp" % name)
    process = subprocess.Popen(
        [sys.executable, "data_tools/shrink.py", *flags(tmp_path, "0.99")],
        cwd=str(root),
        stderr=subprocess.PIPE,
        universal_newlines=True,
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("out.*.incomplete/*.png")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(number)
    error = process.communicate(timeout=60)[1]
    assert process.returncode == 128 + number, error
    assert error.endswith("stopped: nothing is written\n") and "Traceback" not in error
    assert os.listdir(str(tmp_path)) == ["in"]
