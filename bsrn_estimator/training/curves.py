"""The curves of a training run, written as events and brought to the disk."""

import contextlib
import errno
import math
import os
import struct
import sys
import time
from typing import Callable, Dict, Optional

import numpy as np
from tqdm import tqdm

from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.training import model_fn

# Of a TFRecord: the length of its data, and the checksum of that.
_HEADER = struct.Struct("<QI")


class TrainingHook(tf.train.SessionRunHook):
    """Writes the curves of training and shows its progress.

    It fetches the same tensors in every step (`model_fn.TRAINING_TENSORS`), so a session has one
    fetch set. A value of the step that makes `global_step` N is written at N, the mean where
    there are replicas.

    Args:
      model_dir: where the events go; None writes none.
      train_steps: where training ends, for the time left.
      patches_per_step: LR patches of all scales and replicas in one step, for the rate.
      summary_steps: steps between two points of a curve.
      log_steps: steps between two lines where the output is not a terminal.
      counters: called at each point of a curve; further scalars by name.
    """

    def __init__(
        self,
        model_dir: Optional[str],
        train_steps: int,
        patches_per_step: int,
        summary_steps: int,
        log_steps: int,
        counters: Callable[[], Dict[str, float]] = dict,
    ) -> None:
        self._model_dir = model_dir
        self._train_steps = train_steps
        self._patches_per_step = patches_per_step
        self._summary_steps = summary_steps
        self._log_steps = log_steps
        self._counters = counters
        # A run that is refused closes the hook before a session began it.
        self._writer = None
        self._bar = None
        self._summary_mark, self._log_mark = _Mark(0), _Mark(0)
        self._excluded = 0.0

    def begin(self) -> None:
        self._fetches = {}
        for name, tensor in tf.get_collection(model_fn.TRAINING_TENSORS):
            self._fetches.setdefault(name, []).append(tensor)
        self._writer = None
        if self._model_dir:
            self._writer = tf.summary.FileWriterCache.get(self._model_dir)

    def after_create_session(self, session, _coordinator) -> None:
        step = int(session.run(tf.train.get_global_step()))
        if self._writer:
            # TensorBoard then forgets what a run wrote past the checkpoint this one goes on from.
            start = tf.SessionLog(status=tf.SessionLog.START)
            self._writer.add_session_log(start, step + 1)
        self._first_step = step
        self._summary_mark, self._log_mark = _Mark(step), _Mark(step)
        self._started = time.time()
        self._excluded = 0.0
        if sys.stderr.isatty():
            self._bar = tqdm(
                total=self._train_steps, initial=step, unit="step", desc="training", smoothing=0.05
            )

    def before_run(self, _context):
        return tf.train.SessionRunArgs(self._fetches)

    def after_run(self, _context, values) -> None:
        results = {name: np.mean(of_replicas) for name, of_replicas in values.results.items()}
        step = int(results["step"])
        if step // self._summary_steps > self._summary_mark.step // self._summary_steps:
            self._write(step, results)
        self._show(step, results)

    def end(self, _session) -> None:
        self.flush()
        self.close()

    def flush(self) -> None:
        """Brings the points written so far to the disk."""
        if self._writer:
            flush(self._writer)

    def close(self) -> None:
        """Ends the reports of a run that may have failed: the curves, and the progress bar."""
        with contextlib.suppress(RuntimeError, OSError, tf.errors.OpError):
            self.flush()
        if self._bar is not None:
            self._bar.close()

    def exclude(self, seconds: float) -> None:
        """Takes time that went into an evaluation out of the rates."""
        for mark in (self._summary_mark, self._log_mark):
            mark.time += seconds
        self._excluded += seconds

    def _write(self, step: int, results: Dict) -> None:
        if not self._writer:
            return
        scalars = {name: value for name, value in results.items() if name != "step"}
        rate = self._summary_mark.rate(step)
        if rate:
            scalars["speed/steps_per_second"] = rate
            scalars["speed/patches_per_second"] = rate * self._patches_per_step
        scalars.update(self._counters())
        summary = tf.Summary()
        for name, value in scalars.items():
            summary.value.add(tag=name, simple_value=float(value))
        self._writer.add_summary(summary, step)
        self._summary_mark = _Mark(step)

    def _show(self, step: int, results: Dict) -> None:
        loss = float(results["loss/total"])
        if self._bar is not None:
            self._bar.set_postfix_str("loss %.3f" % loss, refresh=False)
            self._bar.update(step - self._bar.n)
        elif step // self._log_steps > self._log_mark.step // self._log_steps:
            rate = self._log_mark.rate(step)
            print(
                "step %d of %d  loss %.4f  %.1f patches/s  %s left"
                % (
                    step,
                    self._train_steps,
                    loss,
                    rate * self._patches_per_step,
                    _duration(self._seconds_left(step)),
                ),
                flush=True,
            )
            self._log_mark = _Mark(step)

    def _seconds_left(self, step: int) -> float:
        done = step - self._first_step
        busy = time.time() - self._started - self._excluded
        return busy / done * (self._train_steps - step) if done else math.nan


class _Mark:
    """A step and when it was reached."""

    def __init__(self, step: int) -> None:
        self.step = step
        self.time = time.time()

    def rate(self, step: int) -> float:
        """Steps a second since then."""
        return (step - self.step) / max(time.time() - self.time, 1e-9)


def _duration(seconds: float) -> str:
    """Hours, minutes and seconds, as a person reads them."""
    if math.isnan(seconds):
        return "unknown time"
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    return "%s%d:%02d:%02d" % ("%d d " % days if days else "", hours, minutes, seconds)


def flush(writer: "tf.summary.FileWriter") -> None:
    """Brings all events to the disk.

    Raises:
      RuntimeError: it does not take them.
    """
    writer.flush()
    if not TF2:
        _require_whole_events(writer.event_writer._ev_writer.FileName().decode())


def _require_whole_events(path: str) -> None:
    """Looks whether a file of events ends where an event does.

    TensorFlow 1.15 tells nobody of an event that it could not write.
    """
    if not os.path.exists(path):
        # Somebody removed it while training went on; TensorFlow begins another.
        return
    size, end = os.path.getsize(path), 0
    with open(path, "rb") as file:
        while end < size:
            file.seek(end)
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                break
            end += _HEADER.size + _HEADER.unpack(header)[0] + 4
    if end != size:
        raise RuntimeError("%s; %s" % (path, os.strerror(errno.ENOSPC)))


class CurvesBeforeCheckpoint(tf.train.CheckpointSaverListener):
    """Brings the curves to the disk before each checkpoint.

    A run that is killed resumes from a checkpoint, and never makes the steps before it again.
    """

    def __init__(self, hook: TrainingHook) -> None:
        self._hook = hook

    def before_save(self, _session, _step) -> None:
        self._hook.flush()
