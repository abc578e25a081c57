"""The model function: one block for each mode, for an Estimator of this project's or of yours.

What stands behind a block belongs to its room: training/, evaluation/ and inference/model_fn.py.
"""

from typing import Callable, Optional

from bsrn_estimator.checkpoints import restoring
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.compat import tf
from bsrn_estimator.evaluation import model_fn as evaluation
from bsrn_estimator.evaluation.options import EvaluationOptions
from bsrn_estimator.inference import model_fn as inference
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.training import model_fn as training


def build(
    config: Config,
    platform: Optional[Platform] = None,
    options: Optional[EvaluationOptions] = None,
    first_weights: Callable = lambda: None,
    feature_file: Optional[str] = None,
) -> Callable:
    """A `model_fn` for tf.estimator.

    Args:
      config: the network and its recipe.
      platform: the devices that train; None for the plain one.
      options: the protocol of EVAL; by default that of the field.
      first_weights: for TRAIN; makes the tf.train.Scaffold that gives a new run its first weights,
        or None. See `restoring.initial_weights`.
      feature_file: for TRAIN; the weights of VGG19, where the network compares features by it.

    Returns:
      `model_fn(features, labels, mode)`. Features and labels of TRAIN and EVAL are those of
      `data.input_fn`; PREDICT takes "lr" [batch, height, width, 3], RGB in 0..255, and gives
      "hr_x2" and so on, float32, neither rounded nor clipped. With a moving average in the recipe,
      EVAL and PREDICT take the averages of the weights.
    """

    def trained() -> Optional["tf.train.Scaffold"]:
        return restoring.averages_scaffold() if config.recipe.ema_decay else None

    def model_fn(features, labels, mode):
        if mode == tf.estimator.ModeKeys.TRAIN:
            return training.spec(features, labels, config, platform, first_weights, feature_file)
        if mode == tf.estimator.ModeKeys.EVAL:
            return evaluation.spec(
                features, labels, config.network, options=options, scaffold=trained
            )
        return inference.spec(features, config.network, scaffold=trained)

    return model_fn
