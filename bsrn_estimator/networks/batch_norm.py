"""Batch normalisation, whose averages move with the training step.

Two variables of each learn (gamma, beta), two follow the data (moving_mean, moving_variance). The
latter are in the collection MODEL_VARIABLES, and what moves them in UPDATE_OPS, so that whoever
trains runs it, and whoever saves, averages or restores weights finds them.
"""

from typing import Any, List, Optional

from bsrn_estimator.compat import tf

SCOPE = "batch_norm"
MOVING = ("moving_mean", "moving_variance")
# That of Keras, with which the published networks were trained.
EPSILON = 1e-3


def batch_norm(inputs: Any, momentum: float, training: bool) -> Any:
    """Normalises each channel, with variables in the scope `batch_norm` of the current one.

    In training by the mean and the variance of the batch, towards which the moving averages go:
    average = momentum * average + (1 - momentum) * of the batch, the variance with the factor
    n / (n - 1) of a sample of n values, as tf.keras of TensorFlow 1.15 does it on the fused kernel.
    A batch whose numbers are not finite moves nothing: where a step is skipped for an overflow, no
    average is lost. Replicas keep averages of their own, and those of the first are saved.

    Args:
      inputs: float32 [batch, height, width, channels].
      momentum: the share of an average that a step leaves.
      training: whether it is the graph of a training step.

    Returns:
      float32, of the shape of `inputs`.
    """
    channels = int(inputs.shape[-1])
    with tf.variable_scope(SCOPE):
        gamma = tf.get_variable("gamma", [channels], initializer=tf.ones_initializer())
        beta = tf.get_variable("beta", [channels], initializer=tf.zeros_initializer())
        first = (tf.zeros_initializer(), tf.ones_initializer())
        moving = [_moving(name, channels, value) for name, value in zip(MOVING, first)]
    if not training:
        return _fused(inputs, gamma, beta, moving[0], moving[1], is_training=False).y
    none = tf.zeros([0])
    result, mean, variance = _fused(inputs, gamma, beta, none, none, is_training=True)[:3]
    for average, of_batch in zip(moving, (mean, variance)):
        tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, _moved(average, of_batch, momentum))
    return result


def _fused(inputs: Any, gamma: Any, beta: Any, mean: Any, variance: Any, is_training: bool) -> Any:
    """The kernel, in its second form: the third has scratch for cuDNN of no static shape, as an NPU
    wants of all."""
    return tf.raw_ops.FusedBatchNormV2(
        x=inputs,
        scale=gamma,
        offset=beta,
        mean=mean,
        variance=variance,
        epsilon=EPSILON,
        is_training=is_training,
    )


def variables(scope: Optional[str] = None) -> List[Any]:
    """The weights of a network in the default graph: those that learn, and those that follow.

    Args:
      scope: what their names begin with; None for all.
    """
    return tf.trainable_variables(scope) + tf.get_collection(tf.GraphKeys.MODEL_VARIABLES, scope)


def _moving(name: str, channels: int, initializer: Any) -> Any:
    return tf.get_variable(
        name,
        [channels],
        initializer=initializer,
        trainable=False,
        collections=[tf.GraphKeys.GLOBAL_VARIABLES, tf.GraphKeys.MODEL_VARIABLES],
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
    )


def _moved(average: Any, of_batch: Any, momentum: float) -> Any:
    """The operation that moves an average."""
    step = (1.0 - momentum) * (of_batch - average)
    return average.assign_add(tf.where(tf.math.is_finite(step), step, tf.zeros_like(step)))
