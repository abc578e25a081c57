"""The scales that a user names: read, checked, and told in one wording."""

import pytest

from bsrn_estimator import scales
from bsrn_estimator.errors import UserError


@pytest.mark.parametrize(
    "named, expected",
    [("4,2", (2, 4)), (["3"], (3,)), ("2,2,8", (2, 8)), (" 3 , 2", (2, 3)), (("8", "4"), (4, 8))],
)
def test_parsed(named, expected):
    assert scales.parsed(named) == expected


@pytest.mark.parametrize("named", ["two", "2,x", "2.0", "", [], ["2", ""]])
def test_what_is_no_number_is_refused(named):
    with pytest.raises(UserError, match="^--scales takes (numbers such as 2,3,4|different ones)"):
        scales.parsed(named)


@pytest.mark.parametrize("wrong", [(), (5,), (2, 2), (4, 2), (1,), (-2,), (2, 16)])
def test_check_refuses(wrong):
    with pytest.raises(
        UserError, match="different ones of 2, 3, 4, 8 in ascending order, not "
    ) as e:
        scales.check(wrong)
    assert str(e.value).endswith(",".join(map(str, wrong)) or "nothing")


def test_check_takes_every_scale_that_there_is():
    scales.check(scales.SUPPORTED)
    scales.check([3])


def test_require():
    scales.require([2, 4], (2, 3, 4), "it")
    scales.require([], (2,), "it")
    with pytest.raises(UserError) as caught:
        scales.require((8, 2, 3), [4, 2], "the network of a/b")
    assert str(caught.value) == "--scales=3,8: the network of a/b has x2, x4 alone"


def test_listed():
    assert scales.listed((2, 8)) == "x2, x8" and scales.listed([]) == ""
