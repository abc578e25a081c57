"""The block TRAIN of a model function: loss, optimizer, and the values that hooks fetch."""

from typing import Any, Callable, Dict, List, Optional, Tuple

from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks.base import Network
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.training import accumulation, adversarial, health_tensors, optimization

# The collection of what the hooks fetch in a training step and write: pairs of a name, as
# TensorBoard shows it, and a scalar; replicas add a pair of the same name each.
TRAINING_TENSORS = "bsrn_training_tensors"


def spec(
    features: Dict[str, Any],
    labels: Dict[str, Any],
    config: Config,
    platform: Optional[Platform] = None,
    scaffold: Callable = lambda: None,
    feature_file: Optional[str] = None,
) -> "tf.estimator.EstimatorSpec":
    """The training step on one batch.

    Args:
      features: those of `data.input_fn.training_input_fn`.
      labels: likewise.
      config: the network and its recipe.
      platform: the devices: what they make of the optimizer, in which contexts network and loss
        are built, and whether they can run the step; None for the plain one.
      scaffold: makes the tf.train.Scaffold of the session, or None; called when the graph is
        complete.
      feature_file: the weights of VGG19, where the network compares features by it.

    Raises:
      UserError: the devices cannot run it, or the network not in parts.
    """
    platform = platform or Platform()
    network, recipe = config
    global_step = tf.train.get_or_create_global_step()
    # The step about to be made, so that every value below belongs to one that is known. A sum, as
    # an identity may share the memory of the variable, which the update overwrites.
    step = global_step + 1
    updates = network.updates(
        features, labels, recipe.scale_schedule, platform.loss_scope, feature_file
    )
    if updates:
        if recipe.accumulate > 1:
            raise UserError(
                "--accumulate: a network of the family %s is trained by several updates a step, "
                "each on a whole batch; leave it out" % network.family
            )
        with tf.control_dependencies([step]):
            loss, parts, train_op, rate = adversarial.step(
                updates, network, recipe, global_step, platform
            )
    else:
        loss, parts, train_op, rate = _update(features, labels, config, platform, step)
    values = {"step": step, "loss/total": loss, "learning_rate": rate}
    values.update(("loss/" + name, part) for name, part in parts.items())
    values = platform.shared_values(values)
    values.update(platform.scalars())
    if platform.may_skip_steps:
        # The last step that was made: a skipped one has the number of the one before.
        with tf.control_dependencies([train_op]):
            values["step"] = tf.identity(global_step.read_value())
    if "scale" in features:
        values["scale"] = features["scale"]
    for name, tensor in values.items():
        tf.add_to_collection(TRAINING_TENSORS, (name, tensor))
    made = tf.estimator.EstimatorSpec(
        tf.estimator.ModeKeys.TRAIN, loss=loss, train_op=train_op, scaffold=scaffold()
    )
    platform.check_step([train_op, loss] + list(values.values()))
    return made


def _update(
    features: Dict[str, Any],
    labels: Dict[str, Any],
    config: Config,
    platform: Platform,
    step: Any,
) -> Tuple[Any, Dict[str, Any], Any, Any]:
    """A step of one update; `step` is its number, for the others see `spec`.

    Returns:
      (float32 scalar: the loss, {name of a part: float32 scalar}, the operation, the rate).
    """
    network, recipe = config
    global_step = tf.train.get_or_create_global_step()

    def loss_of(features, labels):
        with platform.network_scope(network):
            return network.loss(
                features, labels, recipe.scale_schedule, platform.loss_scope, platform.unit
            )

    loss, parts = loss_of(features, labels)
    with tf.control_dependencies([step]):
        optimizer = optimization.Optimization(
            recipe, network.scope, global_step, platform.wrap_optimizer, network.is_reused
        )
        if recipe.accumulate == 1:
            gradients = optimizer.gradients(loss)
        else:
            _check_parts(network)
            # Nothing fetches the loss above, so nothing computes it. But it has made the weights,
            # whose first values depend on the operations before them, as one batch does.
            loss, parts, gradients = accumulation.loss_and_gradients(
                features, labels, recipe.accumulate, loss_of, optimizer.gradients
            )
        train_op = optimizer.apply(gradients)
    if platform.reports_health:
        with platform.network_scope(network):
            health_tensors.add(network, gradients)
    return loss, parts, train_op, optimizer.rate


def _check_parts(network: Network) -> None:
    """Raises UserError where a batch is not the sum of its parts."""
    if tf.get_collection(tf.GraphKeys.UPDATE_OPS):
        raise UserError(
            "--accumulate: the batch norm of a network of the family %s takes its statistics "
            "from a whole batch; leave it out, and take a --batch_size that fits into memory"
            % network.family
        )


def training_tensors() -> Dict[str, List[Any]]:
    """The values of a step in the default graph: a scalar of each replica, by name."""
    found: Dict[str, List[Any]] = {}
    for name, tensor in tf.get_collection(TRAINING_TENSORS):
        found.setdefault(name, []).append(tensor)
    return found
