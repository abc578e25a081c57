"""The block EVAL of a model function: the network's results for one picture, measured."""

from typing import Any, Callable, Dict, Optional, Sequence

from bsrn_estimator.compat import tf
from bsrn_estimator.evaluation import hook
from bsrn_estimator.evaluation.options import Destination, EvaluationOptions
from bsrn_estimator.networks.base import Network

# (lr, scale) to {output: picture}, as `Network.results`.
Results = Callable[[Any, int], Dict[str, Any]]


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
      results: what is taken in the place of `network.results`.
      scaffold: makes the tf.train.Scaffold of the session, or None; called when the graph is
        complete.
    """
    options = options or EvaluationOptions()

    def plain(lr, scale: int) -> Dict[str, Any]:
        return network.results(lr, scale, options.single_outputs)

    made = {
        scale: (results or plain)(features["lr_x%d" % scale], scale)
        for scale in scales or network.scales
    }
    metric_ops, measuring = hook.build(features, labels, made, options, destination)
    return tf.estimator.EstimatorSpec(
        tf.estimator.ModeKeys.EVAL,
        loss=_l1(labels["hr"], made),
        eval_metric_ops=metric_ops,
        evaluation_hooks=[measuring],
        scaffold=scaffold(),
    )


def _l1(hr, results: Dict[int, Dict[str, Any]]):
    """The mean distance of the network's result from HR in grey levels, mean over the scales."""
    distances = []
    for outputs in results.values():
        result = next(iter(outputs.values()))
        height, width = tf.unstack(tf.shape(result)[1:3], num=2)
        distances.append(tf.abs(result - tf.cast(hr[:, :height, :width], tf.float32)))
    return tf.add_n([tf.reduce_mean(distance) for distance in distances]) / len(distances)
