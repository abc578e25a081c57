"""A trained network in a checkpoint, ready to be put in a graph."""

import hashlib
import json
import os
from typing import Callable, Optional, Sequence, Tuple

from bsrn_estimator.checkpoints import PRETRAINED, contents, restoring
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.compat import tf
from bsrn_estimator.config import Config
from bsrn_estimator.networks import bands
from bsrn_estimator.pictures.tiling import TILE


def new_session(session_config: Optional[tf.ConfigProto] = None) -> tf.Session:
    """A session on the default graph; by default on any device, with no more memory than needed."""
    if session_config is None:
        session_config = tf.ConfigProto(allow_soft_placement=True)
        session_config.gpu_options.allow_growth = True
    return tf.Session(config=session_config)


class TrainedNetwork:
    """The weights of one checkpoint and what is needed to use them.

    Args:
      prefix: path of the checkpoint without its endings.
      config: the hyper-parameters that it was trained with.
      session_config: options of its sessions; see `new_session`.

    Attributes:
      scales: the scales that it has.
      step: its global step; 0 where it has none.
      name: what to call it in messages.
    """

    fixed_shape = None

    def __init__(
        self, prefix: str, config: Config, session_config: Optional[tf.ConfigProto] = None
    ) -> None:
        self.prefix, self.config = prefix, config
        self._session_config = session_config
        self.scales = config.scales
        self.step = contents.describe(prefix).global_step or 0
        self.name = prefix + (" (step %d)" % self.step if self.step else "")

    def tile(self, scale: int) -> int:
        """Side of a tile in LR pixels that keeps memory under 1 GB."""
        return TILE

    def session(self) -> tf.Session:
        """A session on the default graph, in which the network's variables have their values.

        Raises:
          UserError: the checkpoint does not fit the hyper-parameters.
        """
        restore = restoring.restorer(self.prefix, self.config)
        made = new_session(self._session_config)
        restore(made)
        return made

    def open(
        self, scales: Sequence[int], output: str, first_output: int = 0
    ) -> Tuple[Tuple[str, ...], Callable, Callable]:
        """See `upscale.Upscaler`: names of the outputs, a function to run it, one to end it."""
        with tf.Graph().as_default():
            lr = tf.placeholder(tf.float32, [1, None, None, 3], "lr")
            made = {
                scale: bands.pictures(lr, scale, self.config, output, first_output)
                for scale in scales
            }
            session = self.session()

        def run(picture, scale):
            return session.run(made[scale], {lr: picture})

        return bands.output_names(output, self.config.output_recursions), run, session.close

    def identity(self) -> str:
        """A digest of the weights and of what decides the result; equal for equal networks."""
        fields = ("scales", "recursions", "recursion_frequency", "rgb_mean")
        form = {name: getattr(self.config, name) for name in fields}
        digest = hashlib.sha256(json.dumps(form, sort_keys=True).encode())
        reader = tf.train.load_checkpoint(self.prefix)
        for name in contents.describe(self.prefix).weights:
            digest.update(name.encode())
            digest.update(reader.get_tensor(name).tobytes())
        return digest.hexdigest()[:16]


def find(
    checkpoint: Optional[str] = None,
    model_dir: Optional[str] = None,
    recursions: Optional[int] = None,
    recursion_frequency: Optional[int] = None,
    session_config: Optional[tf.ConfigProto] = None,
) -> TrainedNetwork:
    """The network that the user means.

    Args:
      checkpoint: what `checkpoint_files.resolve` takes; None for the newest in `model_dir`.
      model_dir: a folder that training wrote; where it does not exist, or is None, the network
        that comes with the project is taken.
      recursions: those of a checkpoint that no config.json lies beside; None where the user did
        not say.
      recursion_frequency: likewise.
      session_config: options of its sessions; see `new_session`.

    Raises:
      UserError: there is no checkpoint, or it cannot be used.
    """
    if not checkpoint:
        trained_here = model_dir if model_dir and os.path.isdir(model_dir) else None
        checkpoint = trained_here or PRETRAINED
    prefix = checkpoint_files.resolve(checkpoint)
    config = contents.config_of(prefix, recursions, recursion_frequency)
    return TrainedNetwork(prefix, config, session_config)
