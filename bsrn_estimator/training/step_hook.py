"""What the hooks that look at every training step have in common."""

from typing import Any, Sequence

from bsrn_estimator.compat import tf
from bsrn_estimator.training import model_fn


class StepHook(tf.train.SessionRunHook):
    """Fetches values of every training step; `_step` is the last one seen, None before a session.

    Args:
      names: which of `model_fn.training_tensors`; one that a graph lacks is an empty list.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def begin(self) -> None:
        """Finds the tensors, before the graph is finalized."""
        tensors = model_fn.training_tensors()
        self._fetches = {name: tensors.get(name, []) for name in self._names}
        self._step: Any = None

    def after_create_session(self, session, _coordinator) -> None:
        """Takes the step that training begins at."""
        self._step = int(session.run(tf.train.get_global_step()))

    def before_run(self, _context) -> tf.train.SessionRunArgs:
        """Asks for the values; of several replicas each gives its own."""
        return tf.train.SessionRunArgs(self._fetches)
