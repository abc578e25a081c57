"""The model function of the Estimator: one block for each mode."""

import contextlib
import functools
from typing import Callable, Dict, Optional, Sequence

from bsrn_estimator import evaluation, network, optimization, schedules
from bsrn_estimator.compat import tf
from bsrn_estimator.config import Config

# The collection of what the hooks fetch in a training step and write: pairs of a name, as
# TensorBoard shows it, and a scalar; replicas add a pair of the same name each.
TRAINING_TENSORS = "bsrn_training_tensors"


def build(
    config: Config,
    scales: Sequence[int] = (),
    wrap_optimizer: Callable = lambda optimizer: optimizer,
    evaluation_options=None,
    scaffold: Callable = lambda: None,
    network_scope: Callable = contextlib.nullcontext,
    loss_scope: Callable = contextlib.nullcontext,
    results: Optional[Callable] = None,
) -> Callable:
    """A `model_fn` for tf.estimator.

    Args:
      config: the hyper-parameters.
      scales: the scales that are evaluated; all of the network's by default.
      wrap_optimizer: what a platform makes of the optimizer.
      evaluation_options: `evaluation.Options`, for EVAL.
      scaffold: makes the tf.train.Scaffold of a training or evaluation session, or None; called
        when the graph is complete.
      network_scope: makes the context in which a platform builds the network that is trained.
      loss_scope: makes the context in which a platform computes the loss.
      results: (lr, scale) to {output: picture}, what EVAL takes in the place of `results_of`.

    Returns:
      `model_fn(features, labels, mode)`; features and labels are those of `input_fn`.
    """

    def model_fn(features, labels, mode):
        if mode == tf.estimator.ModeKeys.TRAIN:
            loss_of = functools.partial(_loss, features, labels, config, loss_scope)
            return _train(features, loss_of, config, wrap_optimizer, network_scope, scaffold)
        if mode == tf.estimator.ModeKeys.EVAL:
            plain = functools.partial(
                results_of, config=config, single_outputs=evaluation_options.single_outputs
            )
            spec = _evaluate(
                features, labels, results or plain, scales or config.scales, evaluation_options
            )
            return spec._replace(scaffold=scaffold())
        return _predict(features, config, scales or config.scales)

    return model_fn


def _train(features, loss_of, config: Config, wrap_optimizer, network_scope, scaffold):
    global_step = tf.train.get_or_create_global_step()
    # The step about to be made, so that every value below belongs to one that is known. A sum, as
    # an identity may share the memory of the variable, which the update overwrites.
    step = global_step + 1
    with network_scope():
        loss, parts = loss_of()
    with tf.control_dependencies([step]):
        train_op, learning_rate = optimization.train_op(loss, config, global_step, wrap_optimizer)
    values = {"step": step, "loss/total": loss, "learning_rate": learning_rate}
    values.update(parts)
    if "scale" in features:
        values["scale"] = features["scale"]
    for name, tensor in values.items():
        tf.add_to_collection(TRAINING_TENSORS, (name, tensor))
    return tf.estimator.EstimatorSpec(
        tf.estimator.ModeKeys.TRAIN, loss=loss, train_op=train_op, scaffold=scaffold()
    )


def _loss(features, labels, config: Config, loss_scope: Callable):
    """(the loss of the schedule, {name: L1 of one output})."""
    names = ["recursion_%d" % recursion for recursion in config.output_recursions]
    if config.scale_schedule == "random":
        loss, parts = schedules.random_loss(features, labels, config, loss_scope)
        return loss, {"loss/" + name: part for name, part in zip(names, parts)}
    loss, parts_of_scales = schedules.joint_loss(features, labels, config, loss_scope)
    return loss, {
        "loss/x%d/%s" % (scale, name): part
        for scale, parts in parts_of_scales.items()
        for name, part in zip(names, parts)
    }


def results_of(lr, scale: int, config: Config, single_outputs: bool = False) -> Dict:
    """What an evaluation measures of one picture.

    Args:
      lr: [1, height, width, 3], RGB in 0..255, any dtype.
      scale: one of `config.scales`.
      config: the hyper-parameters.
      single_outputs: adds the picture after each recursion that has an output.

    Returns:
      {"ensemble": float32 [1, scale * height, scale * width, 3], neither rounded nor clipped}, and
      for single outputs "t1", "t2", ... by recursion.
    """
    trunk = network.trunk(lr, config)
    made = {"ensemble": network.ensemble_of(trunk, scale, config)}
    if single_outputs:
        singles = network.outputs_of(trunk, scale, config)
        made.update(("t%d" % r, single) for r, single in zip(config.output_recursions, singles))
    return made


def _evaluate(features, labels, results: Callable, scales: Sequence[int], options):
    made = {scale: results(features["lr_x%d" % scale], scale) for scale in scales}
    metric_ops, hook = evaluation.build(features, labels, made, options)
    return tf.estimator.EstimatorSpec(
        tf.estimator.ModeKeys.EVAL,
        loss=tf.zeros([]),
        eval_metric_ops=metric_ops,
        evaluation_hooks=[hook],
    )


def _predict(features, config: Config, scales: Sequence[int]):
    predictions = {
        "hr_x%d" % scale: network.ensemble(features["lr"], scale, config) for scale in scales
    }
    return tf.estimator.EstimatorSpec(tf.estimator.ModeKeys.PREDICT, predictions=predictions)
