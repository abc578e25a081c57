"""The block EVAL of a model function: the network's results for one picture, measured."""

from typing import Any, Callable, Dict, List, Optional, Sequence

from bsrn_estimator.compat import tf
from bsrn_estimator.evaluation import hook
from bsrn_estimator.evaluation.options import Destination, EvaluationOptions
from bsrn_estimator.evaluation.stored import Results, stored_results
from bsrn_estimator.networks.base import Network


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
    before: List[Any] = []
    for scale in scales or network.scales:
        # One scale after the other, or the memory of all would be taken at once.
        with tf.control_dependencies(before):
            lr = tf.identity(features["lr_x%d" % scale])
        made[scale] = stored_results(
            network,
            lr,
            scale,
            options.single_outputs,
            one_channel,
            destination.precision,
            results,
        )
        before = list(made[scale].values())
    metric_ops, measuring = hook.build(features, labels, made, options, destination)
    return tf.estimator.EstimatorSpec(
        tf.estimator.ModeKeys.EVAL,
        loss=measuring.loss,
        eval_metric_ops=metric_ops,
        evaluation_hooks=[measuring],
        scaffold=scaffold(),
    )
