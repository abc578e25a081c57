"""The settings of a training run: what is refused, and what time is allowed."""

import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.training.options import TrainingOptions


@pytest.mark.parametrize(
    "values, message",
    [
        (dict(partial_checkpoint=True, initial_step=0), "leave --initial_step out"),
        (dict(rollback_rate=0.0), "--rollback_rate must be above 0, not 0"),
        (dict(rollback_rate=-0.5), "--rollback_rate must be above 0, not -0.5"),
        (dict(rollback_rate=1.01), "--rollback_rate must be at most 1"),
        (dict(explosion_factor=1.0), "--explosion_factor must be above 1, or 0 .* not 1"),
        (dict(explosion_factor=0.5), "--explosion_factor must be above 1, or 0 .* not 0.5"),
        (dict(explosion_factor=-1.0), "--explosion_factor"),
    ],
)
def test_what_contradicts_itself_is_refused(values, message):
    with pytest.raises(UserError, match=message):
        TrainingOptions(**values)


@pytest.mark.parametrize(
    "values",
    [
        dict(partial_checkpoint=True),
        dict(initial_step=0),
        dict(rollback_rate=1.0),
        dict(rollback_rate=1e-9),
        dict(explosion_factor=0.0),
        dict(explosion_factor=1.01),
    ],
)
def test_what_is_at_the_bounds_is_taken(values):
    assert TrainingOptions(**values).replace(train_steps=1).train_steps == 1


@pytest.mark.parametrize("minutes, seconds", [(None, None), (0.5, 30.0), (2.0, 120.0)])
def test_the_time_that_is_allowed(minutes, seconds):
    assert TrainingOptions(max_train_minutes=minutes).max_seconds == seconds
