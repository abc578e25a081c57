"""The golden values in tests/data/reference: what the reference implementation computed."""

import json
import pathlib
from typing import Dict, List

import numpy as np

from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.compat import TF2, tf

FOLDER = pathlib.Path(__file__).resolve().parents[1] / "data" / "reference"
NAMES = ("multi_scale", "single_scale_stateless")

# Another runtime sums in another order; the golden values were made under TensorFlow 1.15.
FORWARD_BOUND = 1e-3 if TF2 else 1e-4
LOSS_BOUND = 1e-5 if TF2 else 1e-6  # relative
WEIGHT_BOUND = 1e-4 if TF2 else 1e-5


class Golden:
    """One network of the reference implementation, its weights and results.

    Attributes:
      name: its folder.
      config: its hyper-parameters and those of its training.
      network: the former alone.
      variables: the shape of every variable in its checkpoint, by name, Adam's included.
      checkpoint: the path prefix of its checkpoint.
      forward: forward.npz, by name.
      steps: train_steps.npz, by name.
      step_count: how many training steps it has.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        values = json.loads((FOLDER / name / "config.json").read_text())
        self.variables: Dict[str, List[int]] = dict(values.pop("variables"))
        self.step_count = len(values.pop("train_steps"))
        values["scales"] = values.pop("model_scales")
        # Batch and patch size are those of the golden steps, not of the recipe.
        self.config = Config.from_dict(dict(values, batch_size=2, patch_size=12))
        self.network = self.config.network
        self.checkpoint = str(FOLDER / name / "checkpoint" / "model.ckpt")
        self.forward = _loaded(FOLDER / name / "forward.npz")
        self.steps = _loaded(FOLDER / name / "train_steps.npz")

    def session(self, with_optimizer: bool = False):
        """A session on the default graph, its variables as in the checkpoint, by equal names."""
        session = tf.Session()
        session.run(tf.global_variables_initializer())
        variables = tf.global_variables() if with_optimizer else tf.trainable_variables()
        variables = [v for v in variables if v.op.name in self.variables]
        tf.train.Saver(variables).restore(session, self.checkpoint)
        return session


def _loaded(path: pathlib.Path) -> Dict[str, np.ndarray]:
    with np.load(str(path)) as file:
        return {name: file[name] for name in file.files}
