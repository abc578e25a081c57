"""Restoring a checkpoint that lacks variables which may start afresh."""

from typing import Any, Sequence

from bsrn_estimator.compat import tf


class PatientSaver(tf.train.Saver):
    """Saves every variable, and restores a checkpoint that lacks some of those named.

    Where one of them is lacking, all of them take the values that they begin with; all others have
    to be there.

    Args:
      may_lack: names of variables that a checkpoint need not hold.
      **options: those of tf.train.Saver.
    """

    def __init__(self, may_lack: Sequence[str], **options: Any) -> None:
        self._may_lack = frozenset(may_lack)
        super().__init__(defer_build=True, **options)

    def build(self) -> None:
        """Adds the operations, once the graph has all its variables."""
        super().build()
        variables = tf.global_variables()
        fresh = [variable for variable in variables if _name(variable) in self._may_lack]
        self._begin = tf.group(*[variable.initializer for variable in fresh])
        self._others = tf.train.Saver(
            [variable for variable in variables if _name(variable) not in self._may_lack]
        )

    def restore(self, sess, save_path: str) -> None:
        """As tf.train.Saver.restore."""
        saved = tf.train.load_checkpoint(save_path)
        if all(saved.has_tensor(name) for name in self._may_lack):
            super().restore(sess, save_path)
            return
        self._others.restore(sess, save_path)
        sess.run(self._begin)


def _name(variable) -> str:
    # Not that of its operation: a variable of several replicas has more than one.
    return variable.name.split(":")[0]
