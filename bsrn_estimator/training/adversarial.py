"""A training step of several updates, one after the other, as a GAN has it."""

from typing import Any, Dict, List, Sequence, Tuple

from bsrn_estimator.compat import tf
from bsrn_estimator.config import Recipe
from bsrn_estimator.networks.base import Network, Update
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.training import optimization


def step(
    updates: Sequence[Update],
    network: Network,
    recipe: Recipe,
    global_step: Any,
    platform: Platform,
) -> Tuple[Any, Dict[str, Any], Any, Any]:
    """All updates of a step in their order, each made from the weights that the one before left.

    One Adam may serve all: its moments belong to weights, and its count goes up with each update.
    Else those of one scope have theirs. Weights are resource variables, so that each update reads
    them anew; what they are called and what checkpoints hold is the same.

    Args:
      updates: from `Network.updates`; the loss of the last one is that of the step.
      network: the network.
      recipe: how it is trained.
      global_step: integer variable, the number of steps taken; the step adds 1.
      platform: the devices.

    Returns:
      (float32 scalar: the loss, {name of a part: float32 scalar}, the operation, the rate).
    """
    rate = optimization.learning_rate_at(global_step, recipe)
    optimizers: Dict[str, Any] = {}
    parts: Dict[str, Any] = {}
    done: List[Any] = []
    loss: Any = None
    for update in updates:
        last = update is updates[-1]
        count = "" if network.counts_together else update.scope
        with tf.control_dependencies(done), _resources():
            with platform.network_scope(network):
                loss, of_update, moved = update.build()
            if count not in optimizers:
                optimizers[count] = platform.wrap_optimizer(optimization.adam(rate, recipe))
            applied = _applied(
                optimizers[count], loss, update, recipe, global_step if last else None, count
            )
            parts.update(of_update)
            if not last:
                parts[update.name] = loss
        done = [tf.group(applied, *moved)]
    with tf.control_dependencies(done):
        made = optimization.averaged(done[0], recipe, network.scope, global_step)
    return loss, parts, made, rate


def _resources() -> Any:
    return tf.variable_scope(tf.get_variable_scope(), use_resource=True)


def _applied(
    optimizer: Any, loss: Any, update: Update, recipe: Recipe, global_step: Any, count: str
) -> Any:
    """The operation that changes the weights of an update.

    The counts of an Adam of a network other than the generator are called after its scope.
    """
    weights = tf.trainable_variables(update.scope)
    gradients = optimizer.compute_gradients(loss, weights)
    gradients = optimization.clipped(gradients, recipe.clip_norm)
    if global_step is None and count:
        with tf.name_scope(count):
            return optimizer.apply_gradients(gradients)
    return optimizer.apply_gradients(gradients, global_step)
