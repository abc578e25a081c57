"""Restoring a checkpoint that lacks variables, or has them under the names of version 0.1.0."""

import itertools
from typing import Any, Callable, Sequence

from bsrn_estimator.checkpoints import contents
from bsrn_estimator.compat import tf


class PatientSaver(tf.train.Saver):
    """Saves every variable, and restores a checkpoint that lacks some.

    Where one of those named is lacking, all of them take the values that they begin with. The
    powers of Adam may stand under their former names (see `contents.saved_power`). All others have
    to be there.

    Args:
      may_lack: names of variables that a checkpoint need not hold.
      **options: those of tf.train.Saver.
    """

    def __init__(self, may_lack: Sequence[str] = (), **options: Any) -> None:
        self._may_lack = frozenset(may_lack)
        super().__init__(defer_build=True, **options)

    def build(self) -> None:
        """Adds the operations, once the graph has all its variables."""
        super().build()
        variables = tf.global_variables()
        fresh = [variable for variable in variables if _name(variable) in self._may_lack]
        self._begin = tf.group(*[variable.initializer for variable in fresh])
        self._powers = [
            (name, [_Given(part) for part in getattr(variable, "values", [variable])])
            for name, variable in zip(map(_name, variables), variables)
            if name in contents.POWERS
        ]
        # By what they leave out: those that may be lacking, and the powers.
        self._others = {
            left_out: tf.train.Saver(
                [
                    variable
                    for variable in variables
                    if not (left_out[0] and _name(variable) in self._may_lack)
                    and not (left_out[1] and _name(variable) in contents.POWERS)
                ]
            )
            for left_out in itertools.product([False, True], repeat=2)
            if any(left_out)
        }

    def restore(self, sess, save_path: str) -> None:
        """As tf.train.Saver.restore."""
        saved = tf.train.load_checkpoint(save_path)
        shapes = saved.get_variable_to_shape_map()
        lacks = not self._may_lack <= set(shapes)
        former = any(contents.saved_power(name, shapes) != name for name, _ in self._powers)
        if not (lacks or former):
            super().restore(sess, save_path)
            return
        self._others[lacks, former].restore(sess, save_path)
        if lacks:
            sess.run(self._begin)
        if former:
            for name, parts in self._powers:
                value = saved.get_tensor(contents.saved_power(name, shapes))
                for part in parts:
                    part.give(sess, value)


class _Given:
    """A variable that is given a value in a finished graph."""

    def __init__(self, variable) -> None:
        self._value = tf.placeholder(variable.dtype.base_dtype, variable.shape)
        self._assign = tf.assign(variable, self._value).op

    def give(self, session, value) -> None:
        """Runs it."""
        session.run(self._assign, {self._value: value})


def restoring_patiently(
    model_fn: Callable, keep_checkpoint_max: int, may_lack: Sequence[str] = ()
) -> Callable:
    """A model function whose Estimator goes on from what a `PatientSaver` restores.

    Args:
      model_fn: the model function of training.
      keep_checkpoint_max: how many checkpoints are kept.
      may_lack: see `PatientSaver`.
    """

    def with_saver(features, labels, mode):
        spec = model_fn(features, labels, mode)
        # An Estimator takes the one that is there, and replicas share their graph.
        if not tf.get_collection(tf.GraphKeys.SAVERS):
            saver = PatientSaver(
                may_lack,
                sharded=True,
                max_to_keep=keep_checkpoint_max,
                save_relative_paths=True,
            )
            tf.add_to_collection(tf.GraphKeys.SAVERS, saver)
        return spec

    return with_saver


def _name(variable) -> str:
    # Not that of its operation: a variable of several replicas has more than one.
    return variable.name.split(":")[0]
