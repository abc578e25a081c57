"""A loss that is not a number, or explodes: noticed, told, and its batch kept in a file."""

import collections
import math
import os
from typing import Callable, List

import numpy as np

from bsrn_estimator import files
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.compat import tf
from bsrn_estimator.training.model_folder import DIVERGED
from bsrn_estimator.training.step_hook import StepHook

# Losses that the median is taken of, and how many there must be before it is compared with.
_WINDOW, _ENOUGH = 101, 20
_NAMES_SHOWN = 8


class Diverged(Exception):
    """The numbers of training have left their range.

    Attributes:
      step: the step that made it visible; the batch of that step is the one to look at.
      reason: in words.
      loss: of that step, NaN where it was seen in the weights.
    """

    def __init__(self, step: int, reason: str, loss: float = math.nan) -> None:
        super().__init__(reason)
        self.step, self.reason, self.loss = step, reason, loss


class DivergenceHook(StepHook):
    """Stops training at a loss that is NaN, infinite, or far above what it was.

    Args:
      explosion_factor: a loss above this many times the median of the last 101 losses (of at
        least 20) is an explosion; 0 lets any finite loss pass.

    Raises:
      Diverged: after such a step, before a checkpoint of it is written.
    """

    def __init__(self, explosion_factor: float) -> None:
        super().__init__(("step", "loss/total"))
        self._factor = explosion_factor

    def begin(self) -> None:
        """Forgets the losses of a session before this one."""
        super().begin()
        self._losses = collections.deque(maxlen=_WINDOW)

    def after_run(self, _context, values) -> None:
        step = int(np.mean(values.results["step"]))
        loss = float(np.mean(values.results["loss/total"]))
        if step == self._step:
            return  # skipped for an overflow, which may have made the loss infinite too
        self._step = step
        if not math.isfinite(loss):
            raise Diverged(step, "the loss is %s" % loss, loss)
        if self._factor and len(self._losses) >= _ENOUGH:
            median = float(np.median(self._losses))
            if loss > self._factor * median > 0:
                reason = "the loss is %.4g, above --explosion_factor=%g times its median of %.4g"
                raise Diverged(step, reason % (loss, self._factor, median), loss)
        self._losses.append(loss)


class FiniteWeights(tf.train.CheckpointSaverListener):
    """Lets no checkpoint be written that holds a NaN or an infinity.

    A finite loss can leave such weights behind: it was computed before they changed, and where 0
    is made of a NaN, as in TensorFlow 2's convolution with bias and ReLU, many steps before.

    Raises:
      Diverged: in place of the checkpoint.
    """

    def begin(self) -> None:
        variables = [v for v in tf.global_variables() if v.dtype.base_dtype.is_floating]
        self._names = [variable.op.name for variable in variables]
        self._finite = tf.stack([tf.reduce_all(tf.math.is_finite(v)) for v in variables])

    def before_save(self, session, global_step) -> None:
        finite = session.run(self._finite)
        for name, good in zip(self._names, finite):
            if not good:
                raise Diverged(int(global_step), "%s is not finite, though the loss is" % name)


class FiniteFile(tf.train.CheckpointSaverListener):
    """As `FiniteWeights`, by the file that was written, where each graph is compiled for minutes.

    The file is removed. One that is killed in between leaves it; it is damaged to those who look.

    Args:
      model_dir: the folder of the checkpoints.

    Raises:
      Diverged: after the checkpoint is gone.
    """

    def __init__(self, model_dir: str) -> None:
        self._model_dir = model_dir

    def after_save(self, _session, global_step) -> None:
        step = int(global_step)
        saved = checkpoint_files.checkpoint_of(self._model_dir, step)
        fault = checkpoint_files.damage(saved)
        if fault and fault.endswith(checkpoint_files.NOT_FINITE):
            checkpoint_files.remove(saved)
            raise Diverged(step, fault + ", though the loss is")


def save_batch(read: Callable, path: str, batches: int = 1, **facts) -> List[str]:
    """Writes the batch of a step, all that reproduces it, to an .npz file.

    The batch is a function of the seed and its number, so it is made once more.

    Args:
      read: input function whose first batch it is.
      path: the file; its folder is made.
      batches: how many batches the step took, one for each replica. Those after the first have
        their number after each name, as in "lr.1".
      facts: further scalars to write.

    Returns:
      Names of the pictures in it, sorted.
    """
    arrays = {}
    config = tf.ConfigProto(device_count={"GPU": 0})
    with tf.Graph().as_default(), tf.Session(config=config) as session:
        iterator = tf.data.make_initializable_iterator(read())
        features, labels = iterator.get_next()
        session.run(iterator.initializer)
        for number in range(batches):
            values = session.run(dict(features, **labels))
            suffix = ".%d" % number if number else ""
            # A string comes as a Python object, which an .npz would pickle.
            values["key"] = np.asarray(values["key"], np.bytes_)
            arrays.update({name + suffix: value for name, value in values.items()})
    names = sorted(
        {key.decode("utf-8", "replace") for n in arrays if n.startswith("key") for key in arrays[n]}
    )
    arrays.update({name: np.asarray(value) for name, value in facts.items()})
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with files.written_whole(path, "wb") as file:
        np.savez_compressed(file, **arrays)
    return names


def shown(names: List[str]) -> str:
    """The names of a batch's pictures in a sentence."""
    more = len(names) - _NAMES_SHOWN
    listed = ", ".join(repr(name)[1:-1] for name in names[:_NAMES_SHOWN])
    return listed + (" and %d more" % more if more > 0 else "")


def file_of(model_dir: str, step: int, rank: int) -> str:
    """Where the batch of `step` is kept."""
    name = "step-%d" % step + ("-rank-%d" % rank if rank else "")
    return os.path.join(model_dir, DIVERGED, name + ".npz")
