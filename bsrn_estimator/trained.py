"""A trained network in a checkpoint, ready to be put in a graph."""

import hashlib
import json
from typing import Callable, List, Tuple

from bsrn_estimator import network
from bsrn_estimator.compat import tf
from bsrn_estimator.config import Config
from bsrn_estimator.errors import UserError
from bsrn_estimator.upscale import output_names


def _session() -> tf.Session:
    options = tf.ConfigProto(allow_soft_placement=True)
    options.gpu_options.allow_growth = True
    return tf.Session(config=options)


def pictures(lr, scale: int, config: Config, output: str, first_output: int = 0) -> List:
    """The tensors that an output setting of `upscale.Upscaler` stands for.

    Args:
      lr: float32 [batch, height, width, 3], RGB in 0..255.
      scale: one of `config.scales`.
      config: the hyper-parameters.
      output: "ensemble", "last" or "all".
      first_output: leaves the outputs of smaller index out of the ensemble.

    Returns:
      A list of float32 [batch, scale * height, scale * width, 3], neither rounded nor clipped.
    """
    last = len(config.output_recursions) - 1
    if not 0 <= first_output <= last:
        raise UserError("--first_output must be from 0 to %d, not %d" % (last, first_output))
    features = network.trunk(lr, config)
    if output == "last":
        return network.outputs_of(features[-1:], scale, config)
    ensemble = network.ensemble_of(features, scale, config, first_output)
    each = network.outputs_of(features, scale, config) if output == "all" else []
    return [ensemble] + each


class TrainedNetwork:
    """The weights of one checkpoint and what is needed to use them.

    Args:
      prefix: path of the checkpoint without its endings.
      config: the hyper-parameters that it was trained with.
      step: its global step; 0 where it has none.
    """

    fixed_shape = None

    def __init__(self, prefix: str, config: Config, step: int = 0) -> None:
        self.prefix, self.config, self.step = prefix, config, step
        self.scales = config.scales

    def session(self) -> tf.Session:
        """A session on the default graph, in which the network's variables have their values."""
        made = _session()
        wanted = [v for v in tf.global_variables() if v.op.name.startswith("generator/")]
        try:
            tf.train.Saver(wanted).restore(made, self.prefix)
        except (tf.errors.OpError, ValueError) as error:
            made.close()
            reason = str(getattr(error, "message", error)).strip().splitlines()[0]
            raise UserError(
                "the checkpoint %s does not fit the hyper-parameters: %s" % (self.prefix, reason)
            ) from None
        return made

    def open(
        self, output: str, first_output: int = 0
    ) -> Tuple[Tuple[str, ...], Callable, Callable]:
        """See `upscale.Upscaler`: names of the outputs, a function that runs it, one that ends it."""
        with tf.Graph().as_default():
            lr = tf.placeholder(tf.float32, [1, None, None, 3], "lr")
            made = {
                scale: pictures(lr, scale, self.config, output, first_output)
                for scale in self.scales
            }
            session = self.session()

        def run(picture, scale):
            return session.run(made[scale], {lr: picture})

        return output_names(output, self.config.output_recursions), run, session.close

    def identity(self) -> str:
        """A digest of the weights and of what decides the result; equal for equal networks."""
        reader = tf.train.load_checkpoint(self.prefix)
        digest = hashlib.sha256()
        shape = {
            name: getattr(self.config, name)
            for name in ("scales", "recursions", "recursion_frequency", "rgb_mean")
        }
        digest.update(json.dumps(shape, sort_keys=True).encode())
        for name in sorted(reader.get_variable_to_shape_map()):
            if name.startswith("generator/") and "/Adam" not in name:
                digest.update(name.encode())
                digest.update(reader.get_tensor(name).tobytes())
        return digest.hexdigest()[:16]
