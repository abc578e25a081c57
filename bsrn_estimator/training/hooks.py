"""What happens beside the steps of training: stops and evaluations."""

import math
import signal
import time
from typing import Any, Callable, Optional, Sequence

from bsrn_estimator.checkpoints.files import checkpoint_of
from bsrn_estimator.compat import tf
from bsrn_estimator.interruption import Interrupted, Interruption
from bsrn_estimator.training.options import TrainingOptions

# Called with path prefix and step of a checkpoint, and with the hooks of the evaluation.
Evaluate = Callable[[str, int, Sequence[tf.train.SessionRunHook]], None]


class StopHook(tf.train.SessionRunHook):
    """Ends training, a checkpoint included, on a signal or when its time is up.

    Args:
      interruption: tells whether a signal came.
      seconds: the longest that training may run, or None; evaluations do not count.
      votes: finds the tensors by which several processes agree to stop after the same step
        (`Platform.votes`); none where this one is alone.
    """

    def __init__(
        self,
        interruption: Interruption,
        seconds: Optional[float],
        votes: Callable[[], Sequence[Any]] = tuple,
    ) -> None:
        self._interruption = interruption
        self._seconds = seconds or math.inf
        self._find_votes = votes
        self.out_of_time = False

    def begin(self) -> None:
        self._started = time.time()
        self._votes = self._find_votes()

    def before_run(self, _context) -> tf.train.SessionRunArgs:
        own = [self._interruption.received is not None, self._is_late()]
        return tf.train.SessionRunArgs(
            [vote.of_all for vote in self._votes], {vote.own: own for vote in self._votes}
        )

    def after_run(self, context, values) -> None:
        if not self._votes:
            told, self.out_of_time = self._interruption.received is not None, self._is_late()
        else:
            told, self.out_of_time = (wish > 0 for wish in values.results[0])
        if told:
            self._interruption.receive(signal.SIGTERM)
        if told or self.out_of_time:
            context.request_stop()

    def _is_late(self) -> bool:
        return time.time() - self._started > self._seconds

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
    """Evaluates a checkpoint that has just been written, where one is due: every so many steps,
    and at the end.

    Args:
      evaluate: see `Evaluate`.
      model_dir: the model folder.
      options: steps between evaluations, and the last step.
      start: the step that the session begins at.
      stop: tells whether the time is up.
      timed: hooks that are told how long an evaluation took (`exclude`).
      breaks_off: the hooks of an evaluation.
      check_pause: told how long it took.
    """

    def __init__(
        self,
        evaluate: Evaluate,
        model_dir: str,
        options: TrainingOptions,
        start: int,
        stop: StopHook,
        timed: Sequence[Any],
        breaks_off: Sequence[tf.train.SessionRunHook],
        check_pause: Callable[[float], None] = lambda _seconds: None,
    ) -> None:
        self._evaluate, self._model_dir, self._options = evaluate, model_dir, options
        self._stop, self._timed, self._breaks_off = stop, timed, breaks_off
        self._check_pause = check_pause
        self._saved_at = start - 1

    def after_save(self, _session, step) -> None:
        step = int(step)
        if not self._is_due(step):
            return
        started = time.time()
        self._evaluate(checkpoint_of(self._model_dir, step), step, self._breaks_off)
        seconds = time.time() - started
        for hook in self._timed:
            hook.exclude(seconds)
        self._check_pause(seconds)

    def _is_due(self, step: int) -> bool:
        # Not the remainder: steps made in loops on a device may pass over a multiple.
        every = self._options.evaluation_steps
        due = step // every > self._saved_at // every
        self._saved_at = step
        at_the_end = step >= self._options.train_steps or self._stop.out_of_time
        return step > 0 and (at_the_end or due)
