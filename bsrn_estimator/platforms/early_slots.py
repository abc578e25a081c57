"""Loss scaling that leaves the names of Adam's variables as they are without it."""

from bsrn_estimator.compat import tf


class EarlySlots:
    """An optimizer that scales the loss, whose inner one has its variables made beforehand.

    Optimizers that scale the loss apply gradients inside a condition; variables first made there
    would carry its name, and a checkpoint would fit runs with loss scaling only.

    Args:
      scaling: the optimizer that scales the loss.
      optimizer: the optimizer inside.
    """

    def __init__(self, scaling, optimizer) -> None:
        self._scaling = scaling
        self._optimizer = optimizer

    def compute_gradients(self, *args, **kwargs):
        """Unscaled gradients, as (gradient, variable) pairs."""
        return self._scaling.compute_gradients(*args, **kwargs)

    def apply_gradients(self, grads_and_vars, global_step=None, name=None):
        """The operation that makes the step, or none of it where a gradient overflowed."""
        pairs = list(grads_and_vars)
        # Of several replicas the optimizer makes its variables once, for all of them.
        replica = tf.distribute.get_replica_context()
        replica.merge_call(self._make_slots, args=([variable for _, variable in pairs],))
        return self._scaling.apply_gradients(pairs, global_step, name)

    def _make_slots(self, _strategy, variables) -> None:
        with tf.init_scope():
            self._optimizer._create_slots(variables)
