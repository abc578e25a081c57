"""Which files are pictures and which are meant, and that nothing is passed over without a word."""

import os

import numpy as np
import pytest
from PIL import Image

from bsrn_estimator.errors import UserError
from bsrn_estimator.pictures import decoding, results
from bsrn_estimator.pictures import files as picture_files
from bsrn_estimator.pictures.files import PictureFile


def _tree(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return str(folder)


def _result(path, form="png"):
    """A file that predict would have written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = results.ResultFormat(form)
    with results.write(str(path), (2, 3, 3), 8, None, {"scale": 2}, shape) as writer:
        writer.write(np.zeros((2, 3, 3), np.uint8))


def _relative(found):
    return [file.relative for file in found.files]


def _find(pattern, output_dir="out", **kwargs):
    return picture_files.find(str(pattern), str(output_dir), **kwargs)


def test_a_folder_and_the_folders_in_it(tmp_path):
    folder = _tree(tmp_path, "b.png", "a.JPG", "notes.txt", "in/a.png", "out/x4/a.png")
    found = _find(folder, tmp_path / "out")
    assert _relative(found) == ["a.JPG", "b.png", os.path.join("in", "a.png")]
    assert all(os.path.exists(file.path) for file in found.files)
    text = "passed over: 1 in --output_dir, 1 with another ending (.txt)"
    assert str(found.passed_over) == text


def test_every_ending(tmp_path, monkeypatch):
    names = ["a.jfif", "b.jpe", "c.GIF", "d.apng", "e.jif", "f.jfi", "g.tiff", "h.WebP"]
    folder = _tree(tmp_path, *(names + ["i.heic", "j.HIF", "k.avif", "l.heif"]))
    monkeypatch.setattr(decoding, "is_readable", lambda name: True)
    assert len(_find(folder).files) == 12
    monkeypatch.setattr(decoding, "is_readable", lambda name: False)
    found = _find(folder)
    assert _relative(found) == names
    assert "3 HEIC (pip install 'bsrn-estimator[pictures]' reads them)" in str(found.passed_over)
    assert "1 AVIF (pip install" in str(found.passed_over)
    # Named itself, it is taken; opening it says what is missing.
    assert len(_find(tmp_path / "i.heic").files) == 1


@pytest.mark.parametrize("pattern", ["", "**", "*/*.jpg"])
def test_hidden_files_and_folders_of_the_system(tmp_path, pattern):
    names = ["a/b.jpg", "a/._b.jpg", ".thumbnails/b.jpg", "__MACOSX/b.jpg", "a/@eaDir/b.jpg"]
    folder = _tree(tmp_path, *names, "a/.DS_Store", "#recycle/b.jpg")
    found = _find(os.path.join(folder, pattern))
    assert _relative(found) == [os.path.join("a", "b.jpg")]
    assert "hidden or of the system" in str(found.passed_over)
    # What is spelt out is meant.
    assert _relative(_find(tmp_path / ".thumbnails")) == ["b.jpg"]
    assert _relative(_find(tmp_path / ".thumbnails" / "*.jpg")) == ["b.jpg"]
    assert _relative(_find(tmp_path / "a" / "._*.jpg")) == ["._b.jpg"]


def test_linked_folders(tmp_path):
    _tree(tmp_path, "in/a.png", "in/sub/b.png", "outside/c.png")
    os.symlink(str(tmp_path / "in"), str(tmp_path / "in" / "again"))
    os.symlink(str(tmp_path / "in" / "sub"), str(tmp_path / "in" / "twice"))
    os.symlink(str(tmp_path / "outside"), str(tmp_path / "in" / "linked"))
    os.symlink(str(tmp_path / "outside" / "c.png"), str(tmp_path / "in" / "file.png"))
    found = _find(tmp_path / "in")
    assert _relative(found) == ["a.png", "file.png", "sub/b.png"]
    assert "3 linked folders (--follow_links" in str(found.passed_over)
    followed = _find(tmp_path / "in", follow_links=True)
    assert _relative(followed) == ["a.png", "file.png", "linked/c.png", "sub/b.png"]
    # A pattern names links as it names folders, and each file comes once.
    everything = _relative(_find(tmp_path / "in" / "**"))
    assert everything == ["a.png", "file.png", "linked/c.png", "sub/b.png"]


@pytest.mark.parametrize("form", results.FORMATS)
def test_results_are_no_sources(tmp_path, form):
    _tree(tmp_path, "a.png")
    for name in ("x4/a.png", "x4_bicubic/a.png", "deep/x2/b.jpg"):
        _result(tmp_path / name, form)
    for pattern in (tmp_path, tmp_path / "**", tmp_path / "**" / "a.png"):
        found = _find(pattern, tmp_path)
        assert _relative(found) == ["a.png"]
        assert "results of predict" in str(found.passed_over)
        assert found.passed_over.results > 1
    with pytest.raises(UserError, match="no picture.*1 result of predict.*--from_results takes"):
        _find(tmp_path / "x4")
    assert _relative(_find(tmp_path / "x4", take_results=True)) == ["a.png"]
    assert _relative(_find(tmp_path / "x4" / "a.png")) == ["a.png"]


def test_where_the_output_folder_lies(tmp_path):
    _tree(tmp_path, "a.png", "sub/b.png", "sub/out/c.png")
    assert len(_find(tmp_path, tmp_path / "sub" / "out").files) == 2
    # The input folder itself, one above it, or one beside it leaves out nothing.
    for output in (tmp_path, tmp_path.parent, tmp_path / "elsewhere"):
        assert len(_find(tmp_path, output).files) == 3
        assert len(_find(tmp_path / "**", output).files) == 3
        assert len(_find(tmp_path / "sub" / "*.png", output).files) == 1


def test_a_folder_that_cannot_be_read_is_said(tmp_path, monkeypatch):
    _tree(tmp_path, "a.png", "closed/b.png")
    scan = os.scandir

    def refuse(path):
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    found = _find(tmp_path)
    assert _relative(found) == ["a.png"]
    assert found.unreadable == ["%s/closed cannot be read: Permission denied" % tmp_path]


def test_patterns(tmp_path):
    _tree(tmp_path, "one/a.png", "two/a.png", "two/b.txt", "two/deep/c.png", "out/a.png")
    out = str(tmp_path / "out")
    assert _relative(_find(tmp_path / "*" / "a.png", out)) == ["one/a.png", "two/a.png"]
    found = _find(tmp_path / "two" / "*", out)
    assert _relative(found) == ["a.png"]
    assert "1 with another ending (.txt), 1 folder that the pattern names" in str(found.passed_over)
    everything = _find(tmp_path / "**", out)
    assert _relative(everything) == ["one/a.png", "two/a.png", "two/deep/c.png"]


@pytest.mark.parametrize(
    "name", ["[2019] trip", "a*b", "what?", "[a-z]", "[[]", "**", "x [1]/y [2]", "[!a]"]
)
def test_what_exists_as_it_is_written_is_no_pattern(tmp_path, name, monkeypatch):
    _tree(tmp_path, os.path.join(name, "a.png"), "2/a.png", "x 1/y 2/a.png")
    place = tmp_path / name
    for pattern, relative in [
        (place, "a.png"),
        (place / "*.png", "a.png"),
        (place / "a.png", "a.png"),
        (place / "**" / "a.*", "a.png"),
    ]:
        found = _find(pattern)
        assert found.files == [PictureFile(str(place / "a.png"), relative)]
    monkeypatch.chdir(tmp_path)
    assert _find(os.path.join(name, "*.png")).files == [PictureFile(name + "/a.png", "a.png")]


def test_brackets_that_match_nothing_are_letters(tmp_path):
    _tree(tmp_path, "b/[1] a.png", "b/c1.png")
    assert _relative(_find(tmp_path / "b" / "[1]*.png")) == ["[1] a.png"]
    assert _relative(_find(tmp_path / "b" / "c[12].png")) == ["c1.png"]


def test_a_single_picture_whatever_its_name(tmp_path):
    for name in ("a[1]*.png", "picture without ending", "a\nb.png", ".hidden.png"):
        _tree(tmp_path, name)
        assert _find(tmp_path / name).files == [PictureFile(str(tmp_path / name), name)]


def test_nothing_there(tmp_path):
    _tree(tmp_path, ".hidden.png")
    for pattern, words in [
        (tmp_path, r"there is no picture \(.*passed over: 1 hidden"),
        (tmp_path / "*.png", "no picture matches"),
        (tmp_path / "a.png", "does not exist"),
    ]:
        with pytest.raises(UserError, match=words):
            _find(pattern)


def test_a_saved_picture_of_another_program_is_a_source(tmp_path):
    Image.new("RGB", (3, 2)).save(str(tmp_path / "a.png"))
    Image.new("RGB", (3, 2)).save(str(tmp_path / "b.jpg"), comment="bsrn_estimator")
    assert len(_find(tmp_path).files) == 2
