"""Steps that were skipped for an overflow: counted, told now and then, too many end the run."""

import types

import pytest

from bsrn_estimator.errors import RunFailed
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.training.skipped import SkippedSteps


class Overflowing(Platform):
    may_skip_steps = True
    max_skipped_steps = 25

    def __init__(self, steps_per_run=1, rank=0):
        self.steps_per_run, self.rank = steps_per_run, rank

    def against_overflow(self, scale):
        return "advice at %g" % scale


def _hook(step=0, **platform):
    hook = SkippedSteps(Overflowing(**platform))
    hook._step = step
    return hook


def _run(hook, *steps, scale=8.0):
    for step in steps:
        values = {"step": [step, step], "loss_scale": [scale]}
        hook.after_run(None, types.SimpleNamespace(results=values))


def test_skipped_steps_are_counted_and_told(capsys):
    hook = _hook(5)
    assert hook.counters() == {"skipped_steps": 0}
    _run(hook, 6, 7, 7, 8)
    assert hook.counters() == {"skipped_steps": 1}
    _run(hook, *[8] * 9)
    assert capsys.readouterr().out == ""
    _run(hook, *[8] * 11, scale=0.5)
    assert capsys.readouterr().out.splitlines() == [
        "step 8: the %d steps after it overflowed and were skipped; the loss scale is 0.5" % count
        for count in (10, 20)
    ]
    # A step that is made begins the count of those in a row anew.
    _run(hook, 9, *[9] * 10)
    assert "the 10 steps after it" in capsys.readouterr().out
    assert hook.counters() == {"skipped_steps": 31}


def test_too_many_in_a_row_end_the_run():
    hook = _hook()
    _run(hook, *[0] * 24, 1, *[1] * 24)
    with pytest.raises(RunFailed) as error:
        _run(hook, 1, scale=2.0)
    assert str(error.value) == (
        "after step 1, 25 steps in a row overflowed float16 and were skipped, the last at a loss "
        "scale of 2, so training makes none any more; advice at 2"
    )


def test_steps_in_loops_on_a_device(capsys):
    hook = _hook(steps_per_run=4)
    _run(hook, 4, 7)
    assert hook.counters() == {"skipped_steps": 1}
    _run(hook, 7, 7, 7)
    assert hook.counters() == {"skipped_steps": 13}
    assert "step 7: the 12 steps after it" in capsys.readouterr().out
    _run(hook, *[7] * 3)
    with pytest.raises(RunFailed, match="28 steps in a row"):
        _run(hook, 7)


def test_the_first_process_tells(capsys):
    _run(_hook(rank=1), *[0] * 20)
    assert capsys.readouterr().out == ""
