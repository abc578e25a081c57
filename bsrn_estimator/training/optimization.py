"""The optimisation step: Adam, its rate falling, every gradient clipped by itself."""

from typing import Any, Callable, List, Tuple

from bsrn_estimator.compat import tf
from bsrn_estimator.config import Recipe
from bsrn_estimator.networks import batch_norm
from bsrn_estimator.training import averages
from bsrn_estimator.training.adam import TunedAdam


def learning_rate_at(global_step, recipe: Recipe):
    """Adam's rate at `global_step`, which counts the steps already taken; a float32 scalar.

    It is a function of nothing else, so a run that goes on has the rate that it would have had. Of
    `recipe.warmup_steps` the first step has one part of the rate, not none, and the last all of it.
    """
    rate = _scheduled_rate(global_step, recipe)
    if not recipe.warmup_steps:
        return rate
    risen = tf.cast(global_step + 1, tf.float32) / float(recipe.warmup_steps)
    return rate * tf.minimum(risen, 1.0)


def _scheduled_rate(global_step, recipe: Recipe):
    if recipe.learning_rate_schedule == "constant":
        return tf.constant(recipe.learning_rate, tf.float32)
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


class Optimization:
    """Adam in a graph: gradients of losses, and the step that applies them.

    To be made outside of any name or variable scope: only then do Adam's variables have the names
    of the reference implementation (`beta1_power`, `beta2_power`, and `/Adam`, `/Adam_1` after the
    name of each weight), so that its optimizer state loads as it is. With `recipe.ema_decay` there
    is a further variable for each weight, `/ExponentialMovingAverage` after its name, those that
    follow the data included: they belong to the weights of a step, as their average to the average.

    The operations in the collection UPDATE_OPS are part of the step.

    Args:
      recipe: how the network is trained.
      scope: what the names of its weights begin with.
      global_step: integer variable, the number of steps taken; the step adds 1.
      wrap: puts a platform's optimizer (replication, loss scaling) around Adam.
      is_reused: whether `recipe.block_rate` applies to the weight of that name.

    Attributes:
      rate: float32 scalar, the learning rate of the step about to be taken.
    """

    def __init__(
        self,
        recipe: Recipe,
        scope: str,
        global_step,
        wrap: Callable = lambda optimizer: optimizer,
        is_reused: Callable[[str], bool] = lambda name: False,
    ) -> None:
        self._recipe, self._scope, self._global_step = recipe, scope, global_step
        self.rate = learning_rate_at(global_step, recipe)
        self._replicas = tf.distribute.get_strategy().num_replicas_in_sync
        # Replicas average gradients as these are applied, so the optimizer clips them.
        self._clips_late = self._replicas > 1 and recipe.clip_norm > 0
        self._optimizer = wrap(adam(self.rate, recipe, is_reused, self._clips_late))

    def gradients(self, loss) -> List[Tuple[Any, Any]]:
        """The gradients of a loss, as (gradient, variable) pairs, before they are clipped.

        Args:
          loss: float scalar; every weight of the network takes part in its graph, be it in a branch
            that this step does not take.
        """
        # Gated, as `tf.gradients` is not: with the latter a weight may be overwritten in place
        # while back-propagation through another recursion still reads it, and no two runs are the
        # same.
        return self._optimizer.compute_gradients(loss, tf.trainable_variables(self._scope))

    def apply(self, gradients) -> Any:
        """The operation that takes the step; `gradients` are (gradient, variable) pairs."""
        if not self._clips_late:
            gradients = clipped(gradients, self._recipe.clip_norm)
        applied = self._optimizer.apply_gradients(gradients, self._global_step)
        updates = tf.get_collection(tf.GraphKeys.UPDATE_OPS)
        if updates:
            applied = tf.group(applied, *updates)
        return averaged(applied, self._recipe, self._scope, self._global_step)


def train_op(loss, *arguments, **more) -> Tuple:
    """One step that makes `loss` smaller; the other arguments are those of `Optimization`.

    Returns:
      (the operation, the float32 scalar learning rate of the step about to be taken).
    """
    made = Optimization(*arguments, **more)
    return made.apply(made.gradients(loss)), made.rate


def averaged(applied, recipe: Recipe, scope: str, global_step):
    """A step with its moving average of the weights, where the recipe has one.

    Args:
      applied: the operation that makes the step.
      recipe: how the network is trained.
      scope: what the names of its weights begin with.
      global_step: integer variable, the number of steps taken.

    Returns:
      The operation of both.
    """
    if not recipe.ema_decay:
        return applied
    weights = batch_norm.variables(scope)
    with tf.control_dependencies([applied]):
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            return averages.of_replicas(weights, recipe.ema_decay, global_step)
        average = tf.train.ExponentialMovingAverage(recipe.ema_decay, num_updates=global_step)
        return average.apply(weights)


def adam(
    rate,
    recipe: Recipe,
    is_reused: Callable[[str], bool] = lambda name: False,
    clips: bool = False,
):
    """The optimizer of a recipe; for `is_reused` see `train_op`.

    Args:
      rate: float32 scalar.
      recipe: how the network is trained.
      clips: whether it clips gradients as it applies them.
    """
    if recipe.block_rate == 1 and not clips:
        return tf.train.AdamOptimizer(rate, recipe.adam_beta1, epsilon=recipe.adam_epsilon)
    clip_norm = recipe.clip_norm if clips else 0.0
    return TunedAdam(
        rate, recipe.adam_epsilon, recipe.block_rate, is_reused, clip_norm, recipe.adam_beta1
    )


def clipped(gradients, clip_norm: float):
    """(gradient, variable) pairs, no gradient of an L2 norm above `clip_norm`; 0 clips nothing."""
    if not clip_norm:
        return gradients
    return [(tf.clip_by_norm(gradient, clip_norm), variable) for gradient, variable in gradients]
