"""The scales that there are, and those that a user names."""

import pytest

from bsrn_estimator import scales
from bsrn_estimator.errors import UserError


@pytest.mark.parametrize(
    "named, expected",
    [("4,2", (2, 4)), ("3", (3,)), (["8", "2"], (2, 8)), ("2,2,4", (2, 4)), (" 2, 3", (2, 3))],
)
def test_scales_are_ascending_and_once_each(named, expected):
    assert scales.parsed(named) == expected


@pytest.mark.parametrize(
    "named, sentence",
    [
        ("two", "--scales takes numbers such as 2,3,4, not two"),
        ("", "--scales takes numbers such as 2,3,4, not $"),
        ("2,", "--scales takes numbers such as 2,3,4, not 2,$"),
        ("2.0", "--scales takes numbers"),
        ("5", "--scales takes different ones of 2, 3, 4, 8 in ascending order, not 5"),
        ("1,2", "not 1,2"),
        ([], "not nothing"),
    ],
)
def test_what_is_no_scale_is_refused(named, sentence):
    with pytest.raises(UserError, match=sentence):
        scales.parsed(named)


@pytest.mark.parametrize("given", [(4, 2), (2, 2), (), (2, 16)])
def test_a_network_has_different_ones_in_order(given):
    with pytest.raises(UserError, match="in ascending order"):
        scales.check(given)


def test_scales_that_somebody_lacks_are_named():
    scales.require([2, 4], (2, 3, 4), "the network")
    scales.require([], (), "the network")
    with pytest.raises(UserError, match="^--scales=3,8: the network has x2, x4 alone$"):
        scales.require([8, 2, 3], (4, 2), "the network")
