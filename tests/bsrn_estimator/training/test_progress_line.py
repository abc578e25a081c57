"""Lines of a run: at which steps, at which rate, how long it takes; the bar on a terminal."""

import io
import sys
import types

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.training import progress_line
from bsrn_estimator.training.progress_line import ProgressHook


@pytest.fixture
def clock(monkeypatch):
    """Time that stands until it is set: clock[0]."""
    now = [1000.0]
    monkeypatch.setattr(progress_line.time, "time", lambda: now[0])
    return now


def _begun(hook, step=0):
    """The hook in a session whose global step is `step`."""
    with tf.Graph().as_default(), tf.Session() as session:
        number = tf.train.get_or_create_global_step()
        hook.begin()
        session.run(number.assign(step).op)
        hook.after_create_session(session, None)
    return hook


def _run(hook, step, *losses):
    results = {"step": [step] * len(losses), "loss/total": list(losses)}
    hook.after_run(None, types.SimpleNamespace(results=results))


def test_a_line_where_one_is_due(clock, capsys):
    hook = _begun(ProgressHook(100, 24, 10), 20)
    for step in range(21, 42):
        clock[0] += 2.0
        _run(hook, step, 1.0, 2.5)
    hook.exclude(1e6)
    clock[0] += 1e6
    for step in range(42, 51):
        clock[0] += 1.0
        _run(hook, step, 0.12345)
    assert capsys.readouterr().out.splitlines() == [
        "step 30 of 100  loss 1.7500  12.0 patches/s  2 min 20 s left",
        "step 40 of 100  loss 1.7500  12.0 patches/s  2 min 00 s left",
        # Ten steps in 11 seconds; 30 in 51 since the run began.
        "step 50 of 100  loss 0.1235  21.8 patches/s  1 min 25 s left",
    ]
    hook.close()


def test_the_time_that_is_left_after_the_first_step(clock, capsys):
    hook = _begun(ProgressHook(100, 3, 1), 40)
    clock[0] += 2.0
    _run(hook, 41, 1.0)
    assert capsys.readouterr().out.endswith("  1.5 patches/s  1 min 58 s left\n")


def test_a_run_that_ends_later_than_asked_for_has_no_time_left(clock, capsys):
    hook = _begun(ProgressHook(10, 1, 5))
    clock[0] += 3.0
    _run(hook, 12, np.float32(1.0))
    assert capsys.readouterr().out.endswith("4.0 patches/s  0.0 s left\n")


def test_a_bar_on_a_terminal(clock, capsys, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    hook = _begun(ProgressHook(100, 24, 10), 20)
    for step in (21, 24, 30):
        _run(hook, step, 1.0, 2.5)
    assert (hook._bar.n, hook._bar.total, hook._bar.initial) == (30, 100, 20)
    hook.close()
    shown = terminal.getvalue()
    assert "training:" in shown and "30/100" in shown and "loss 1.750" in shown
    assert capsys.readouterr().out == ""


def test_one_that_never_began_can_be_closed():
    ProgressHook(10, 1, 5).close()
