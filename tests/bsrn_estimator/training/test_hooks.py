"""Stops and evaluations beside the steps: when they come, and what they are told."""

import signal
import types

import pytest

from bsrn_estimator.interruption import Interrupted, Interruption
from bsrn_estimator.training import hooks
from bsrn_estimator.training.options import TrainingOptions


@pytest.fixture
def clock(monkeypatch):
    """Time that stands until it is set: clock[0]."""
    now = [1000.0]
    monkeypatch.setattr(hooks.time, "time", lambda: now[0])
    return now


class Context:
    """What a session hands to a hook; says whether it was asked to stop."""

    stops = False

    def request_stop(self):
        self.stops = True


def _stops(hook, results=()):
    context = Context()
    hook.after_run(context, types.SimpleNamespace(results=results))
    return context.stops


def test_a_run_stops_on_a_signal_or_when_its_time_is_up(clock):
    interruption = Interruption()
    hook = hooks.StopHook(interruption, 60.0)
    hook.begin()
    assert hook.before_run(None).fetches == [] and not _stops(hook)
    clock[0] += 60.0
    assert not _stops(hook) and not hook.out_of_time
    clock[0] += 0.5
    assert _stops(hook) and hook.out_of_time
    hook.exclude(1.0)
    assert not _stops(hook) and not hook.out_of_time
    interruption.receive(signal.SIGINT)
    assert _stops(hook) and not hook.out_of_time and interruption.received == signal.SIGINT
    # Each session has its own time.
    clock[0] += 1e6
    hook.begin()
    assert not hook._is_late()


@pytest.mark.parametrize("seconds", [None, 0.0])
def test_without_a_limit_time_is_never_up(clock, seconds):
    hook = hooks.StopHook(Interruption(), seconds)
    hook.begin()
    clock[0] += 1e12
    assert not _stops(hook)


@pytest.mark.parametrize(
    "told, late, stops", [(0, 0, False), (1, 0, True), (0, 1, True), (3, 2, True)]
)
def test_processes_stop_by_the_sum_of_their_votes(clock, told, late, stops):
    interruption = Interruption()
    vote = types.SimpleNamespace(own="own", of_all="of all")
    hook = hooks.StopHook(interruption, 60.0, lambda: [vote])
    hook.begin()
    arguments = hook.before_run(None)
    assert (arguments.fetches, arguments.feed_dict) == (["of all"], {"own": [False, False]})
    assert _stops(hook, [[told, late]]) is stops
    assert (hook.out_of_time, interruption.received) == (late > 0, signal.SIGTERM if told else None)
    # What this one wishes is what it votes for, not what it does.
    clock[0] += 61.0
    interruption.receive(signal.SIGTERM)
    assert hook.before_run(None).feed_dict == {"own": [True, True]}
    assert not _stops(hook, [[0, 0]])


def test_an_evaluation_is_broken_off_by_a_signal_alone():
    interruption = Interruption()
    hook = hooks.EvaluationStop(interruption)
    assert hook.before_run(None) is None
    interruption.receive(signal.SIGTERM)
    with pytest.raises(Interrupted):
        hook.before_run(None)


def _evaluated(start, saved, out_of_time=False, every=4):
    """Which of the checkpoints that are saved are evaluated, every so often and at step 10."""
    found = []
    options = TrainingOptions(train_steps=10, evaluation_steps=every)
    listener = hooks.EvaluationListener(
        lambda prefix, step, breaks_off: found.append((prefix, step, breaks_off)),
        "folder",
        options,
        start,
        types.SimpleNamespace(out_of_time=out_of_time),
        [],
        ["stop"],
    )
    for step in saved:
        listener.after_save(None, step)
    assert all(at == ("folder/model.ckpt-%d" % at[1], at[1], ["stop"]) for at in found)
    return [step for _, step, _ in found]


@pytest.mark.parametrize(
    "start, saved, evaluated",
    [
        (0, [0, 1, 2, 3, 4, 5, 7, 8, 9, 10], [4, 8, 10]),
        # Loops on a device may pass over a multiple, and the end.
        (0, [0, 3, 6, 7, 9, 12], [6, 9, 12]),
        (0, [0, 9, 10], [9, 10]),
        # One that goes on: at a multiple again, as a kill may have come before its evaluation.
        (4, [4, 5, 8], [4, 8]),
        (5, [5, 6, 7, 8], [8]),
    ],
)
def test_evaluations_are_due_every_so_many_steps_and_at_the_end(start, saved, evaluated):
    assert _evaluated(start, saved) == evaluated


def test_first_weights_alone_are_not_evaluated():
    assert _evaluated(0, [0, 1, 2], every=1) == [1, 2]


def test_the_last_checkpoint_is_evaluated_where_the_time_is_up():
    assert _evaluated(0, [0, 3], out_of_time=True) == [3]


def test_the_time_of_an_evaluation_is_told(clock):
    told = []
    timed = [types.SimpleNamespace(exclude=lambda seconds: told.append(seconds)) for _ in range(2)]

    def evaluate(_prefix, _step, _hooks):
        clock[0] += 7.0

    options = TrainingOptions(train_steps=10, evaluation_steps=4)
    stop = types.SimpleNamespace(out_of_time=False)
    listener = hooks.EvaluationListener(
        evaluate, "folder", options, 0, stop, timed, [], lambda seconds: told.append(-seconds)
    )
    for step in (0, 3, 4):
        listener.after_save(None, step)
    assert told == [7.0, 7.0, -7.0]
