"""The block PREDICT of a model function: the network's result at each scale."""

from typing import Any, Callable, Dict

from bsrn_estimator.compat import tf
from bsrn_estimator.networks.base import Network


def spec(
    features: Dict[str, Any], network: Network, scales=(), scaffold: Callable = lambda: None
) -> "tf.estimator.EstimatorSpec":
    """The enlargement of a batch of pictures of one size.

    Args:
      features: "lr" [batch, height, width, 3], RGB in 0..255, any dtype.
      network: the network.
      scales: the scales wanted; all of the network's by default.
      scaffold: makes the tf.train.Scaffold of the session, or None; called when the graph is
        complete.

    Returns:
      Predictions "hr_x2" and so on: float32 [batch, scale * height, scale * width, 3] in 0..255,
      neither rounded nor clipped.
    """
    predictions = {
        "hr_x%d" % scale: network.results(features["lr"], scale)[network.result]
        for scale in scales or network.scales
    }
    return tf.estimator.EstimatorSpec(
        tf.estimator.ModeKeys.PREDICT, predictions=predictions, scaffold=scaffold()
    )
