"""Finding picture files, and names of results that never collide."""

import os

import hypothesis
import hypothesis.strategies as st
import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.pictures import files as picture_files
from bsrn_estimator.pictures.files import PictureFile

_ENDINGS = [".png", ".jpg", ".PNG", ".Jpg", ".tiff", ".bmp", ".webp"]


def _tree(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return str(folder)


def _relative(found):
    return [file.relative for file in found]


def test_a_folder_and_the_folders_in_it(tmp_path):
    folder = _tree(tmp_path, "b.png", "a.JPG", "notes.txt", "in/a.png", "out/x4/a.png")
    found = picture_files.find(folder, str(tmp_path / "out"))
    assert _relative(found) == ["a.JPG", "b.png", os.path.join("in", "a.png")]
    assert all(os.path.exists(file.path) for file in found)


def test_links_do_not_lead_in_circles(tmp_path):
    _tree(tmp_path, "a.png")
    os.symlink(str(tmp_path), str(tmp_path / "again"))
    assert _relative(picture_files.find(str(tmp_path), "out")) == ["a.png"]


def test_patterns(tmp_path):
    _tree(tmp_path, "one/a.png", "two/a.png", "two/b.txt", "two/deep/c.png", "out/a.png")
    find = picture_files.find
    out = str(tmp_path / "out")
    assert _relative(find(str(tmp_path / "*" / "a.png"), out)) == ["one/a.png", "two/a.png"]
    assert _relative(find(str(tmp_path / "two" / "*"), out)) == ["a.png"]
    everything = find(str(tmp_path / "**"), out)
    assert _relative(everything) == ["one/a.png", "two/a.png", "two/deep/c.png"]


def test_a_single_picture_whatever_its_name(tmp_path):
    for name in ("a[1]*.png", "picture without ending", "a\nb.png"):
        _tree(tmp_path, name)
        found = picture_files.find(str(tmp_path / name), "out")
        assert found == [PictureFile(str(tmp_path / name), name)]


def test_nothing_there(tmp_path):
    for pattern, words in [
        (str(tmp_path), "there is no picture"),
        (str(tmp_path / "*.png"), "no picture matches"),
        (str(tmp_path / "a.png"), "does not exist"),
    ]:
        with pytest.raises(UserError, match=words):
            picture_files.find(pattern, "out")


def test_names_of_results():
    names = {
        "a.png": "a.png",
        "a.jpg": "a.jpg.png",
        "a.PNG": "a.PNG.png",
        "in/a.b.png": "in/a.b.png",
        "a.jpg.png": "a.jpg.png.png",
        "no ending": "no ending.png",
    }
    assert {name: PictureFile("", name).result for name in names} == names


# In a folder or a pattern only names with an ending of a picture are taken.
_NAME = st.builds(
    lambda stem, endings: stem + "".join(endings),
    st.sampled_from(["a", "b", "in/a"]),
    st.lists(st.sampled_from(_ENDINGS), min_size=1, max_size=4),
)


@hypothesis.given(names=st.lists(_NAME, min_size=2, max_size=8, unique=True))
def test_different_pictures_have_different_results(names):
    results = [PictureFile("", name).result for name in names]
    assert len(set(results)) == len(names)
    assert all(result.endswith(".png") for result in results)


def test_ground_truth(tmp_path):
    hr = _tree(tmp_path, "0001.png", "deep/b.jpg", "cx4.png", "c.png")
    find = picture_files.ground_truth
    assert find(PictureFile("", "0001x4.png"), hr, 4) == os.path.join(hr, "0001.png")
    assert find(PictureFile("", "0001x4.png"), hr, 2) is None
    assert find(PictureFile("", "deep/b.webp"), hr, 3) == os.path.join(hr, "deep", "b.jpg")
    assert find(PictureFile("", "cx4.bmp"), hr, 4) == os.path.join(hr, "cx4.png")
    assert find(PictureFile("", "none/b.png"), hr, 3) is None
