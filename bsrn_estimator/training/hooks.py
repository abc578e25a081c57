"""What happens beside the steps of training: curves, the progress line, stops, evaluations."""

import math
import time
from typing import Callable, Optional

from bsrn_estimator.compat import tf
from bsrn_estimator.interruption import Interrupted, Interruption


class StopHook(tf.train.SessionRunHook):
    """Ends training, a checkpoint included, on a signal or when its time is up.

    Args:
      interruption: tells whether a signal came.
      seconds: the longest that training may run, or None; evaluations do not count.
    """

    def __init__(self, interruption: Interruption, seconds: Optional[float]) -> None:
        self._interruption = interruption
        self._seconds = seconds or math.inf
        self.out_of_time = False

    def begin(self) -> None:
        self._started = time.time()

    def after_run(self, context, _values) -> None:
        self.out_of_time = time.time() - self._started > self._seconds
        if self._interruption.received or self.out_of_time:
            context.request_stop()

    def exclude(self, seconds: float) -> None:
        """Takes time that went into an evaluation out of the account."""
        self._started += seconds


class EvaluationStop(tf.train.SessionRunHook):
    """Breaks an evaluation off on a signal; it is begun again when training goes on."""

    def __init__(self, interruption: Interruption) -> None:
        self._interruption = interruption

    def before_run(self, _context) -> None:
        if self._interruption.received:
            raise Interrupted


class EvaluationListener(tf.train.CheckpointSaverListener):
    """Evaluates a checkpoint that has just been written, where one is due.

    Args:
      evaluate: called with the step.
      is_due: tells of a step whether its checkpoint is to be evaluated.
      hooks: told how long the evaluation took (`exclude`).
    """

    def __init__(self, evaluate: Callable, is_due: Callable, hooks) -> None:
        self._evaluate = evaluate
        self._is_due = is_due
        self._hooks = hooks

    def after_save(self, _session, step) -> None:
        step = int(step)
        if not self._is_due(step):
            return
        started = time.time()
        self._evaluate(step)
        for hook in self._hooks:
            hook.exclude(time.time() - started)
