"""The optimisation step: Adam, its rate falling, every gradient clipped by itself."""

import contextlib
from typing import Any, Callable, Iterator, Tuple

from bsrn_estimator.compat import tf
from bsrn_estimator.config import Recipe


class _BlockAdam(tf.train.AdamOptimizer):
    """Adam with a rate of its own for some weights; its variables are Adam's.

    Args:
      rate: of the other weights.
      factor: what it is multiplied with for the weights that `is_slowed` names.
      is_slowed: a variable's name to whether it is one of them.
      epsilon: Adam's.
    """

    _lr_t: Any

    def __init__(
        self, rate: Any, factor: float, is_slowed: Callable[[str], bool], epsilon: float
    ) -> None:
        super().__init__(rate, epsilon=epsilon)
        self._factor, self._is_slowed = factor, is_slowed

    @contextlib.contextmanager
    def _rate_of(self, variable) -> Iterator[None]:
        rate = self._lr_t
        if self._is_slowed(variable.op.name):
            self._lr_t = self._factor * rate
        try:
            yield
        finally:
            self._lr_t = rate

    def _apply_dense(self, grad, var):
        with self._rate_of(var):
            return super()._apply_dense(grad, var)

    def _resource_apply_dense(self, grad, var):
        with self._rate_of(var):
            return super()._resource_apply_dense(grad, var)


def learning_rate_at(global_step, recipe: Recipe):
    """Adam's rate at `global_step`, which counts the steps already taken; a float32 scalar."""
    if recipe.learning_rate_schedule == "cosine":
        return tf.train.cosine_decay(
            recipe.learning_rate, global_step, recipe.learning_rate_decay_steps
        )
    return tf.train.exponential_decay(
        recipe.learning_rate,
        global_step,
        recipe.learning_rate_decay_steps,
        recipe.learning_rate_decay,
        staircase=True,
    )


def train_op(
    loss,
    recipe: Recipe,
    scope: str,
    global_step,
    wrap: Callable = lambda optimizer: optimizer,
    is_reused: Callable[[str], bool] = lambda name: False,
) -> Tuple:
    """One step that makes `loss` smaller.

    To be called outside of any name or variable scope: only then do Adam's variables have the names
    of the reference implementation (`beta1_power`, `beta2_power`, and `/Adam`, `/Adam_1` after the
    name of each weight), so that its optimizer state loads as it is. With `recipe.ema_decay` there
    is a further variable for each weight, `/ExponentialMovingAverage` after its name.

    Args:
      loss: float scalar; every weight of the network takes part in its graph, be it in a branch
        that this step does not take.
      recipe: how the network is trained.
      scope: what the names of its weights begin with.
      global_step: integer variable, the number of steps taken; the step adds 1.
      wrap: puts a platform's optimizer (replication, loss scaling) around Adam.
      is_reused: whether `recipe.block_rate` applies to the weight of that name.

    Returns:
      (the operation, the float32 scalar learning rate of the step about to be taken).
    """
    rate = learning_rate_at(global_step, recipe)
    optimizer = wrap(_adam(rate, recipe, is_reused))
    # Gated, as `tf.gradients` is not: with the latter a weight may be overwritten in place while
    # back-propagation through another recursion still reads it, and no two runs are the same.
    weights = tf.trainable_variables(scope)
    gradients = optimizer.compute_gradients(loss, weights)
    applied = optimizer.apply_gradients(_clipped(gradients, recipe.clip_norm), global_step)
    if not recipe.ema_decay:
        return applied, rate
    with tf.control_dependencies([applied]):
        average = tf.train.ExponentialMovingAverage(recipe.ema_decay, num_updates=global_step)
        return average.apply(weights), rate


def _adam(rate, recipe: Recipe, is_reused: Callable[[str], bool]):
    if recipe.block_rate == 1:
        return tf.train.AdamOptimizer(rate, epsilon=recipe.adam_epsilon)
    return _BlockAdam(rate, recipe.block_rate, is_reused, recipe.adam_epsilon)


def _clipped(gradients, clip_norm: float):
    """(gradient, variable) pairs, no gradient of an L2 norm above `clip_norm`; 0 clips nothing."""
    if not clip_norm:
        return gradients
    # Replicas each hold the gradient of their share of a mean, later to be summed.
    limit = clip_norm / tf.distribute.get_strategy().num_replicas_in_sync
    return [(tf.clip_by_norm(gradient, limit), variable) for gradient, variable in gradients]
