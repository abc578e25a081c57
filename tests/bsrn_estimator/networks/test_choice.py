"""Which outputs of a network are wanted."""

import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.networks.choice import OUTPUTS, SINGLE_OUTPUTS, OutputChoice


def test_the_result_is_wanted_unless_told_otherwise():
    assert OutputChoice() == OutputChoice("ensemble", 0)
    assert [OutputChoice(output).output for output in OUTPUTS] == ["ensemble", "last", "all"]
    assert SINGLE_OUTPUTS == ("ensemble", "last")


@pytest.mark.parametrize(
    "values, sentence",
    [
        ({"output": "first"}, "--output takes ensemble or last or all, not first"),
        ({"output": ""}, "--output takes ensemble or last or all, not $"),
        ({"first_output": -1}, "--first_output must be at least 0, not -1"),
    ],
)
def test_other_choices_are_refused(values, sentence):
    with pytest.raises(UserError, match=sentence):
        OutputChoice(**values)
