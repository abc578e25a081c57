"""How far a training run has come: a bar on a terminal, a line now and then elsewhere."""

import sys
import time

import numpy as np
from tqdm import tqdm

from bsrn_estimator.compat import tf
from bsrn_estimator.progress import duration
from bsrn_estimator.training import model_fn
from bsrn_estimator.training.mark import Mark


class ProgressHook(tf.train.SessionRunHook):
    """Shows step, loss, rate and the time left.

    Args:
      train_steps: where training ends.
      patches_per_step: LR patches of all scales and replicas in one step, for the rate.
      log_steps: steps between two lines where the output is not a terminal.
    """

    def __init__(self, train_steps: int, patches_per_step: int, log_steps: int) -> None:
        self._train_steps = train_steps
        self._patches_per_step = patches_per_step
        self._log_steps = log_steps
        # A run that is refused closes the hook before a session began it.
        self._bar = None
        self._mark = self._start = Mark(0)

    def begin(self) -> None:
        tensors = model_fn.training_tensors()
        self._fetches = {name: tensors.get(name, []) for name in ("step", "loss/total")}

    def after_create_session(self, session, _coordinator) -> None:
        step = int(session.run(tf.train.get_global_step()))
        self._start, self._mark = Mark(step), Mark(step)
        if sys.stderr.isatty():
            self._bar = tqdm(
                total=self._train_steps, initial=step, unit="step", desc="training", smoothing=0.05
            )

    def before_run(self, _context):
        return tf.train.SessionRunArgs(self._fetches)

    def after_run(self, _context, values) -> None:
        step = int(np.mean(values.results["step"]))
        loss = float(np.mean(values.results["loss/total"]))
        if self._bar is not None:
            self._bar.set_postfix_str("loss %.3f" % loss, refresh=False)
            self._bar.update(step - self._bar.n)
        elif self._mark.is_due(step, self._log_steps):
            rate = self._mark.rate(step) * self._patches_per_step
            print(
                "step %d of %d  loss %.4f  %.1f patches/s  %s left"
                % (step, self._train_steps, loss, rate, duration(self._seconds_left(step))),
                flush=True,
            )
            self._mark = Mark(step)

    def close(self) -> None:
        """Ends the bar."""
        if self._bar is not None:
            self._bar.close()

    def exclude(self, seconds: float) -> None:
        """Takes time that went into an evaluation out of the rates."""
        self._mark.time += seconds
        self._start.time += seconds

    def _seconds_left(self, step: int) -> float:
        busy = time.time() - self._start.time
        # Loops on a device may end later than asked for.
        left = max(self._train_steps - step, 0)
        return busy / max(step - self._start.step, 1) * left
