"""The network in `tf.estimator`, for programs that keep the loop in their own hands."""

from typing import TYPE_CHECKING, Any, Callable, Optional

from bsrn_estimator.checkpoints import config_file
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.config import Recipe
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation.options import EvaluationOptions
from bsrn_estimator.model_fn import build
from bsrn_estimator.networks.base import Network
from bsrn_estimator.platforms.choice import present
from bsrn_estimator.platforms.options import RunOptions
from bsrn_estimator.training import features
from bsrn_estimator.training.model_folder import RunFolder
from bsrn_estimator.training.options import TrainingOptions

if TYPE_CHECKING:
    from bsrn_estimator.compat import tf


def build_model_fn(
    network: Network,
    recipe: Optional[Recipe] = None,
    evaluation: Optional[EvaluationOptions] = None,
) -> Callable[..., Any]:
    """A `model_fn(features, labels, mode)` with a block for each mode, for an Estimator of yours.

    Args:
      network: what is trained, evaluated and used.
      recipe: how a step trains it; by default that of its family's paper.
      evaluation: the protocol of evaluations; by default that of the documents.

    Returns:
      The function. TRAIN takes the batches of `training_input_fn`, EVAL the pictures of
      `evaluation_input_fn`, and PREDICT {"lr": pictures [batch, height, width, 3], RGB in 0..255},
      for which it gives "hr_x2" and so on, float32, neither rounded nor clipped.

    Raises:
      UserError: training compares features of VGG19, which `train` alone is given.
    """
    features.prepare(network, TrainingOptions())
    return build(Config(network, recipe or Recipe.of(network)), options=evaluation)


def build_estimator(
    network: Network, recipe: Optional[Recipe] = None, run: Optional[RunOptions] = None
) -> "tf.estimator.Estimator":
    """The Estimator that `train` trains, on the GPU or the CPUs of this machine.

    Its folder gets the config.json of a run, so that its checkpoints are used as those of any run:
    `evaluate("runs/mine")`. Evaluation within a run, the best checkpoint and the answer to a loss
    that is not a number are parts of `train`, and not of an Estimator.

    Args:
      network: what is trained, evaluated and used.
      recipe: how a step trains it; by default that of its family's paper.
      run: its folder (`model_dir`), seed and checkpoints.

    Returns:
      A `tf.estimator.Estimator`: train, evaluate, predict.

    Raises:
      UserError: the folder is missing in `run`, cannot be written, is in use by a training run, or
        was trained with other hyper-parameters; or see `build_model_fn`.
    """
    features.prepare(network, TrainingOptions())
    if run is None or not run.model_dir:
        raise UserError("an Estimator needs a folder; give RunOptions(model_dir='runs/NAME')")
    config, platform = Config(network, recipe or Recipe.of(network)), present()
    with RunFolder(run.model_dir) as folder:
        folder.check(config)
        if not config_file.exists(run.model_dir):
            config.save(run.model_dir)
    return platform.training_estimator(build(config, platform), run)
