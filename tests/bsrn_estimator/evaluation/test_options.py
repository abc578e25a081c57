"""The settings of an evaluation."""

import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation.options import Destination, EvaluationOptions, curve_tag


def test_a_negative_shave_is_a_mistake():
    with pytest.raises(UserError, match="--shave must be at least 0, not -1"):
        EvaluationOptions(shave=-1)


def test_the_border_is_the_scale_unless_one_is_given():
    shaves = [EvaluationOptions(shave=shave).shave_of(3) for shave in (None, 0, 4)]
    assert shaves == [3, 0, 4]


def test_the_sets_in_the_order_of_the_user():
    assert EvaluationOptions(eval_data_dir="b,a").folders == ["b", "a"]
    with pytest.raises(UserError, match="--eval_data_dir"):
        EvaluationOptions(eval_data_dir="a,,b").folders  # noqa: B018


@pytest.mark.parametrize(
    "name, data_set, tag",
    [
        ("psnr_y/x2", "set5", "psnr_y/set5/x2"),
        ("psnr_y/x2", "", "psnr_y/x2"),
        ("a/b/c", "set5", "a/set5/b/c"),
    ],
)
def test_the_tag_of_a_curve(name, data_set, tag):
    assert curve_tag(name, data_set) == Destination(data_set=data_set).tag(name) == tag
