"""The training step as an Estimator builds it: loss, optimizer, and the values that hooks fetch."""

from typing import Callable, Optional

from bsrn_estimator.compat import tf
from bsrn_estimator.config import Config
from bsrn_estimator.networks import losses
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.training import optimization

# The collection of what the hooks fetch in a training step and write: pairs of a name, as
# TensorBoard shows it, and a scalar; replicas add a pair of the same name each.
TRAINING_TENSORS = "bsrn_training_tensors"


def build(
    config: Config, platform: Optional[Platform] = None, scaffold: Callable = lambda: None
) -> Callable:
    """A `model_fn` for tf.estimator that trains, and knows no other mode.

    Args:
      config: the hyper-parameters.
      platform: the devices: what they make of the optimizer, in which contexts network and loss
        are built, and whether they can run the step; None for the plain one.
      scaffold: makes the tf.train.Scaffold of the session, or None; called when the graph is
        complete.

    Returns:
      `model_fn(features, labels, mode)`; features and labels are those of `input_fn`.
    """

    def model_fn(features, labels, mode):
        assert mode == tf.estimator.ModeKeys.TRAIN, mode
        return spec(features, labels, config, platform, scaffold)

    return model_fn


def spec(
    features,
    labels,
    config: Config,
    platform: Optional[Platform] = None,
    scaffold: Callable = lambda: None,
) -> "tf.estimator.EstimatorSpec":
    """The training step on one batch; see `build`.

    Raises:
      UserError: the devices cannot run it.
    """
    platform = platform or Platform()
    global_step = tf.train.get_or_create_global_step()
    # The step about to be made, so that every value below belongs to one that is known. A sum, as
    # an identity may share the memory of the variable, which the update overwrites.
    step = global_step + 1
    with platform.network_scope():
        loss, parts = _loss(features, labels, config, platform.loss_scope)
    with tf.control_dependencies([step]):
        train_op, learning_rate = optimization.train_op(
            loss, config, global_step, platform.wrap_optimizer
        )
    values = {"step": step, "loss/total": loss, "learning_rate": learning_rate}
    values.update(parts)
    if "scale" in features:
        values["scale"] = features["scale"]
    for name, tensor in values.items():
        tf.add_to_collection(TRAINING_TENSORS, (name, tensor))
    made = tf.estimator.EstimatorSpec(
        tf.estimator.ModeKeys.TRAIN, loss=loss, train_op=train_op, scaffold=scaffold()
    )
    platform.check_step([train_op, loss] + list(values.values()))
    return made


def _loss(features, labels, config: Config, loss_scope: Callable):
    """(the loss of the schedule, {name: L1 of one output})."""
    names = ["recursion_%d" % recursion for recursion in config.output_recursions]
    if config.scale_schedule == "random":
        loss, parts = losses.random_loss(features, labels, config, loss_scope)
        return loss, {"loss/" + name: part for name, part in zip(names, parts)}
    loss, parts_of_scales = losses.joint_loss(features, labels, config, loss_scope)
    return loss, {
        "loss/x%d/%s" % (scale, name): part
        for scale, parts in parts_of_scales.items()
        for name, part in zip(names, parts)
    }
