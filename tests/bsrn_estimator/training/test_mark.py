"""A step and when it was reached."""

import pytest

from bsrn_estimator.training import mark
from bsrn_estimator.training.mark import Mark


@pytest.fixture
def clock(monkeypatch):
    """Time that stands until it is set: clock[0]."""
    now = [1000.0]
    monkeypatch.setattr(mark.time, "time", lambda: now[0])
    return now


@pytest.mark.parametrize(
    "start, step, every, due",
    [
        (0, 9, 10, False),
        (0, 10, 10, True),
        (10, 19, 10, False),
        (10, 20, 10, True),
        # A loop on the device makes several steps at once and passes over the multiple.
        (7, 13, 10, True),
        (13, 47, 10, True),
        (13, 17, 5, True),
        (13, 14, 5, False),
        (13, 14, 1, True),
        (13, 13, 1, False),
    ],
)
def test_due_where_a_multiple_lies_between(start, step, every, due):
    assert Mark(start).is_due(step, every) is due


def test_rate_is_of_the_time_since_then(clock):
    since = Mark(40)
    clock[0] += 2.5
    assert since.rate(50) == pytest.approx(4)
    # An evaluation of two seconds, which is no time of training.
    since.time += 2
    assert since.rate(50) == pytest.approx(20)


def test_rate_of_no_time_is_a_number(clock):
    since = Mark(40)
    assert since.rate(40) == 0
    assert 0 < since.rate(41) < float("inf")
    clock[0] -= 3600  # somebody set the clock back
    assert since.rate(41) > 0
