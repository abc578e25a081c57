"""The moving average of weights of which every replica holds a copy.

`tf.train.ExponentialMovingAverage` of TensorFlow 1.15 looks for a variable for each copy.
"""

from typing import Any, Sequence

from bsrn_estimator.compat import tf

# As tf.train.ExponentialMovingAverage has it.
_NAME = "ExponentialMovingAverage"


def of_replicas(weights: Sequence[Any], decay: float, global_step) -> Any:
    """An operation that updates the averages, as `tf.train.ExponentialMovingAverage.apply` would.

    To be called for each replica. The averages are variables of the same names.

    Args:
      weights: the variables.
      decay: the decay of a run that is under way; (1 + step) / (10 + step) where that is less.
      global_step: the number of steps made, by the time that this is run.
    """

    def update_all(strategy, *copies):
        step = tf.cast(global_step.read_value(), tf.float32)
        of_step = tf.minimum(decay, (1.0 + step) / (10.0 + step))

        def update(average, weight):
            value = weight.read_value() if hasattr(weight, "read_value") else weight
            return average.assign_sub((1.0 - of_step) * (average - value))

        updates = []
        for weight in copies:
            average = _average_of(strategy, weight)
            if not weight.trainable:
                # Each replica has its own, of which the first one's is saved.
                weight = strategy.experimental_local_results(weight)[0].read_value()
            updates.append(strategy.extended.update(average, update, args=(weight,)))
        return tf.group(*updates)

    return tf.distribute.get_replica_context().merge_call(update_all, args=tuple(weights))


def _average_of(strategy, weight) -> Any:
    """A variable for the average of a weight, which begins at its first value."""
    with tf.init_scope(), strategy.extended.colocate_vars_with(weight):
        return tf.get_variable(
            "%s/%s" % (weight.op.name, _NAME),
            initializer=strategy.experimental_local_results(weight)[0].initial_value,
            trainable=False,
        )
