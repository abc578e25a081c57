"""The settings of an evaluation."""

import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation.options import EvaluationOptions


def test_a_negative_shave_is_a_mistake():
    with pytest.raises(UserError, match="--shave must be at least 0, not -1"):
        EvaluationOptions(shave=-1)
