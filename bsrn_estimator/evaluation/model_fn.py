"""The block EVAL of a model function: the network's results for one picture, measured."""

from typing import Any, Callable, Dict, List, Optional, Sequence

from bsrn_estimator.compat import tf
from bsrn_estimator.evaluation import hook, protocols
from bsrn_estimator.evaluation.options import Destination, EvaluationOptions
from bsrn_estimator.evaluation.stored import Results, as_stored, exact_result, stored_results
from bsrn_estimator.networks.base import Network
from bsrn_estimator.pictures.stretch import PEAK


def spec(
    features: Dict[str, Any],
    labels: Dict[str, Any],
    network: Network,
    scales: Sequence[int] = (),
    options: Optional[EvaluationOptions] = None,
    destination: Optional[Destination] = None,
    results: Optional[Results] = None,
    scaffold: Callable = lambda: None,
) -> "tf.estimator.EstimatorSpec":
    """The measurement of one picture.

    Args:
      features: those of `data.input_fn.evaluation_input_fn`.
      labels: likewise.
      network: the network.
      scales: the scales that are evaluated; all of the network's by default.
      options: the protocol; by default that of the field.
      destination: where the results go; by default nowhere.
      results: what takes the place of the network, see `stored.stored_results`.
      scaffold: makes the tf.train.Scaffold of the session, or None; called when the graph is
        complete.
    """
    options, destination = options or EvaluationOptions(), destination or Destination()
    one_channel = hook.one_channel_of(features)
    made: Dict[int, Dict[str, Any]] = {}
    exact: Dict[int, Dict[str, Any]] = {}
    before: List[Any] = []
    for scale in scales or network.scales:
        # One scale after the other, or the memory of all would be taken at once.
        with tf.control_dependencies(before):
            lr = tf.identity(features["lr_x%d" % scale])
        if options.stretch_lr:
            lr = stretched_lr(lr)
        how = destination.precision, results
        if options.protocol:
            exact[scale] = _exact(network, lr, scale, options.protocol, how)
        if protocols.RAW in exact.get(scale, {}) and not options.single_outputs:
            made[scale] = {network.result: as_stored(exact[scale][protocols.RAW], one_channel)}
        else:
            made[scale] = stored_results(
                network, lr, scale, options.single_outputs, one_channel, *how
            )
        before = list(made[scale].values()) + list(exact.get(scale, {}).values())
    metric_ops, measuring = hook.build(features, labels, made, options, destination, exact)
    return tf.estimator.EstimatorSpec(
        tf.estimator.ModeKeys.EVAL,
        loss=measuring.loss,
        eval_metric_ops=metric_ops,
        evaluation_hooks=[measuring],
        scaffold=scaffold(),
    )


def stretched_lr(lr):
    """`pictures.stretch.stretched` of a picture in the graph: uint8 [1, height, width, 3]."""
    values = tf.cast(lr, tf.float64)
    lowest, highest = tf.reduce_min(values), tf.reduce_max(values)
    span = highest - lowest
    gain = PEAK / tf.where(tf.equal(span, 0), tf.ones_like(span), span)
    return tf.cast(tf.clip_by_value((values - lowest) * gain, 0, PEAK) + 0.5, tf.uint8)


def _exact(network: Network, lr, scale: int, names: Sequence[str], how) -> Dict[str, Any]:
    """The results of one picture that protocols need, by what they are computed from."""
    sources = protocols.sources_of(names)
    if protocols.STRETCHED not in sources:
        return {protocols.RAW: exact_result(network, lr, scale, *how)}
    stretched = stretched_lr(lr)
    if protocols.RAW not in sources:
        return {protocols.STRETCHED: exact_result(network, stretched, scale, *how)}
    raw = exact_result(network, lr, scale, *how)
    # Most pictures have the full range already, so that one result is the other.
    other = tf.cond(
        tf.reduce_all(tf.equal(stretched, lr)),
        lambda: raw,
        lambda: exact_result(network, stretched, scale, *how),
    )
    return {protocols.RAW: raw, protocols.STRETCHED: other}
