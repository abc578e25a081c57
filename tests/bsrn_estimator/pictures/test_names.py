"""What results are called: short where it can be, never two alike."""

import unicodedata

import hypothesis
import hypothesis.strategies as st
import pytest

from bsrn_estimator.pictures.names import result_names

_ENDINGS = ["", ".png", ".jpg", ".PNG", ".Jpg", ".tiff", ".bmp", ".webp", ".txt"]


@pytest.mark.parametrize(
    "relatives, expected",
    [
        (["photo.jpg"], ["photo.png"]),
        (["a.png", "b.JPEG", "in/a.b.heic"], ["a.png", "b.png", "in/a.b.png"]),
        (["a.PNG", "no ending", "v1.2"], ["a.png", "no ending.png", "v1.2.png"]),
        # Two that would meet; a name that has the ending already keeps it.
        (["a.jpg", "a.bmp"], ["a.jpg.png", "a.bmp.png"]),
        (["a.png", "a.jpg"], ["a.png", "a.jpg.png"]),
        (["a.png", "a.PNG"], ["a.png", "a.PNG.png"]),
        (["a.jpg", "a.bmp", "a.jpg.png"], ["a.jpg.png", "a.bmp.png", "a.jpg.png.png"]),
        # On a disk that knows no capitals; in other folders nothing meets.
        (["A.jpg", "a.jpg"], ["A.jpg.png", "a.jpg.png"]),
        (["x/a.jpg", "y/a.bmp"], ["x/a.png", "y/a.png"]),
    ],
)
def test_names(relatives, expected):
    assert result_names(relatives, ".png") == expected


def test_other_endings():
    assert result_names(["a.png", "b.jpg", "b.bmp"], ".jpg") == ["a.jpg", "b.jpg", "b.bmp.jpg"]
    assert result_names(["a.jpg"], ".webp") == ["a.webp"]


def test_two_ways_of_writing_one_letter():
    names = [unicodedata.normalize(form, "f\u00fcr.jpg") for form in ("NFC", "NFD")]
    results = result_names(names, ".png")
    assert len(set(results)) == 2 and all(name.endswith(".jpg.png") for name in results)


def test_long_names():
    long = ["a" * 251 + ".png", "b" * 251 + ".jpg", "c" * 255, "d" * 250 + ".bmp"]
    long += ["d" * 250 + ".jpg", "\u00e9" * 125 + ".jpg", "deep/" + "e" * 255]
    for ending in (".png", ".webp"):
        results = result_names(long, ending)
        assert len(set(results)) == len(long)
        assert all(len(name.split("/")[-1].encode()) <= 255 for name in results)
        assert all(name.endswith(ending) for name in results)
    assert result_names(long, ".png")[:2] == ["a" * 251 + ".png", "b" * 251 + ".png"]


_NAME = st.builds(
    lambda stem, endings: stem + "".join(endings),
    st.sampled_from(["a", "A", "b", "in/a"]),
    st.lists(st.sampled_from(_ENDINGS), min_size=1, max_size=4),
)


@hypothesis.given(
    names=st.lists(_NAME, min_size=1, max_size=8, unique=True),
    ending=st.sampled_from([".png", ".jpg", ".webp"]),
)
def test_different_pictures_have_different_results(names, ending):
    results = result_names(names, ending)
    assert len(set(results)) == len(names)
    assert all(result.endswith(ending) for result in results)
