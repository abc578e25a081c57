"""Which LR picture belongs to which HR picture, and of what size it must be."""

import unicodedata

import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.pictures import pairs


def test_names_are_composed_and_without_ending():
    decomposed = unicodedata.normalize("NFD", "deep/f\u00fcr.v2.png")
    assert pairs.stem(decomposed) == "deep/f\u00fcr.v2"


def test_two_of_one_name():
    twin = unicodedata.normalize("NFD", "\u00e9.png")
    found, bad = pairs.by_stem(["a.png", "b.jpg", "b.png", "\u00e9.png", twin, "in/a.png"], "d")
    assert found == {"a": "d/a.png", "in/a": "d/in/a.png"}
    assert sorted(bad) == ["b", "\u00e9"]
    assert "d/b.jpg and b.png are two pictures of one name" in bad["b"]


@pytest.mark.parametrize(
    "lr, hr, expected",
    [
        (["a"], ["a"], {"a": "a"}),
        (["ax4", "in/bx4"], ["a", "in/b"], {"ax4": "a", "in/bx4": "in/b"}),
        (["ax4", "b"], ["a", "b"], {"ax4": "a", "b": "b"}),
        (["ax2"], ["a"], {}),
        (["in/a"], ["a"], {}),
        # Both readings would do: most of the folder decides, else the name as it is.
        (["ax4"], ["a", "ax4"], {"ax4": "ax4"}),
        (["ax4", "ax4x4"], ["a", "ax4"], {"ax4": "a", "ax4x4": "ax4"}),
    ],
)
def test_hr_names(lr, hr, expected):
    assert pairs.hr_names(lr, hr, 4) == expected


def test_sizes():
    pairs.check_sizes("a", (62, 90), (250, 361), 4)
    for lr in ((63, 91), (62, 91), (90, 62), (125, 180)):
        with pytest.raises(UserError, match="a is %dx%d, but .*of 361x250 is 90x62" % lr[::-1]):
            pairs.check_sizes("a", lr, (250, 361), 4)
