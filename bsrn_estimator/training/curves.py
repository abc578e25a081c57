"""The curves of a training run, written as events and brought to the disk."""

import contextlib
import errno
import os
import struct
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

import numpy as np

from bsrn_estimator.checkpoints import literal
from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.training import model_fn
from bsrn_estimator.training.mark import Mark
from bsrn_estimator.training.means import Means

# Of a TFRecord: the length of its data, and the checksum of that.
_HEADER = struct.Struct("<QI")


class CurvesHook(tf.train.SessionRunHook):
    """Writes the curves of training.

    It fetches the same tensors in every step (`model_fn.TRAINING_TENSORS`), so a session has one
    fetch set. A point at N has the means of the losses (see `Means`) of the steps since the point
    before, that which makes `global_step` N included; of replicas the mean.

    Args:
      model_dir: where the events go; None writes none.
      patches_per_step: LR patches of all scales and replicas in one step, for the rate.
      summary_steps: steps between two points of a curve.
      counters: called at each point of a curve; further scalars by name.
      texts: what TensorBoard shows as text, by name, so that runs can be told apart.
      record: called with step and scalars of each point that is written.
    """

    def __init__(
        self,
        model_dir: Optional[str],
        patches_per_step: int,
        summary_steps: int,
        counters: Callable[[], Dict[str, float]] = dict,
        texts: Optional[Mapping[str, str]] = None,
        record: Callable[[int, Mapping[str, float]], None] = lambda _step, _scalars: None,
    ) -> None:
        self._model_dir = model_dir
        self._patches_per_step = patches_per_step
        self._summary_steps = summary_steps
        self._counters = counters
        self._texts = texts or {}
        self._record = record
        self._means = Means()
        # A run that is refused closes the hook before a session began it.
        self._writer: Any = None
        self._mark, self._step = Mark(0), 0

    def begin(self) -> None:
        self._fetches = model_fn.training_tensors()
        if self._model_dir:
            self._writer = tf.summary.FileWriterCache.get(literal.folder(self._model_dir))

    def after_create_session(self, session, _coordinator) -> None:
        step = int(session.run(tf.train.get_global_step()))
        if self._writer:
            # TensorBoard then forgets what a run wrote past the checkpoint this one goes on from.
            start = tf.SessionLog(status=tf.SessionLog.START)
            self._writer.add_session_log(start, step + 1)
            for name, text in self._texts.items():
                self._writer.add_summary(text_summary(name, text), step)
        self._mark, self._step = Mark(step), step

    def before_run(self, _context):
        return tf.train.SessionRunArgs(self._fetches)

    def after_run(self, _context, values) -> None:
        results = {name: np.mean(of_replicas) for name, of_replicas in values.results.items()}
        step = int(results.pop("step"))
        if step == self._step:
            return  # skipped for an overflow, which may have made the loss infinite too
        self._step = step
        self._means.add(results)
        if self._writer and self._mark.is_due(step, self._summary_steps):
            self._write(step, self._means.take())

    def end(self, _session) -> None:
        self.flush()

    def flush(self) -> None:
        """Brings the points written so far to the disk."""
        if self._writer:
            flush(self._writer)

    def close(self) -> None:
        """Keeps the points of a run that may have failed."""
        with contextlib.suppress(RuntimeError, OSError, tf.errors.OpError):
            self.flush()

    def exclude(self, seconds: float) -> None:
        """Takes time that went into an evaluation out of the rates."""
        self._mark.time += seconds

    def _write(self, step: int, scalars: Dict[str, float]) -> None:
        rate = self._mark.rate(step)
        scalars["speed/steps_per_second"] = rate
        scalars["speed/patches_per_second"] = rate * self._patches_per_step
        scalars.update(self._counters())
        summary = tf.Summary()
        for name, value in scalars.items():
            summary.value.add(tag=name, simple_value=float(value))
        self._writer.add_summary(summary, step)
        self._record(step, scalars)
        self._mark = Mark(step)


def text_summary(name: str, text: str) -> "tf.Summary":
    """What TensorBoard shows under Text."""
    plugin = tf.SummaryMetadata.PluginData(plugin_name="text")
    metadata = tf.SummaryMetadata(plugin_data=plugin)
    summary = tf.Summary()
    summary.value.add(tag=name, metadata=metadata, tensor=tf.make_tensor_proto(text, tf.string))
    return summary


def together(counting: Sequence[Any]) -> Callable[[], Dict[str, float]]:
    """The `counters()` of several objects as one function."""
    return lambda: {name: n for each in counting for name, n in each.counters().items()}


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

    def __init__(self, hook: CurvesHook) -> None:
        self._hook = hook

    def before_save(self, _session, _step) -> None:
        self._hook.flush()
