"""A trained network in a checkpoint, ready to be put in a graph."""

import hashlib
import json
from typing import Any, Callable, Mapping, Optional, Sequence, Tuple

from bsrn_estimator.checkpoints import PRETRAINED, contents, literal, restoring
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.checkpoints.usable import UsableNetwork
from bsrn_estimator.compat import tf
from bsrn_estimator.networks.base import Network
from bsrn_estimator.networks.choice import OutputChoice
from bsrn_estimator.networks.precision import FLOAT32, scope


def new_session(session_config: Optional[tf.ConfigProto] = None) -> tf.Session:
    """A session on the default graph; by default on any device, with no more memory than needed."""
    if session_config is None:
        session_config = tf.ConfigProto(allow_soft_placement=True)
        session_config.gpu_options.allow_growth = True
    return tf.Session(config=session_config)


class TrainedNetwork(UsableNetwork):
    """The weights of one checkpoint and what is needed to use them.

    Args:
      prefix: path of the checkpoint without its endings.
      network: the network that it holds.
      session_config: options of its sessions; see `new_session`.
      precision: in which `open` computes it.
    """

    def __init__(
        self,
        prefix: str,
        network: Network,
        session_config: Optional[tf.ConfigProto] = None,
        precision: str = FLOAT32,
    ) -> None:
        self.prefix, self.network, self.precision = prefix, network, precision
        self._session_config = session_config
        self.scales, self.overlap = network.scales, network.overlap
        self.step = contents.describe(prefix).known_step or 0
        self.name = prefix + (" (step %d)" % self.step if self.step else "")

    @property
    def parameters(self) -> int:
        """See `UsableNetwork.parameters`."""
        return self.network.parameters()

    def tile(self, scale: int) -> int:
        """Side of a tile in LR pixels that keeps memory under 1 GB."""
        return self.network.tile

    def session(self) -> tf.Session:
        """A session on the default graph, in which the network's variables have their values.

        Raises:
          UserError: the checkpoint does not fit the network.
        """
        restore = restoring.restorer(self.prefix, self.network)
        made = new_session(self._session_config)
        restore(made)
        return made

    def open(
        self, scales: Sequence[int], choice: OutputChoice
    ) -> Tuple[Tuple[str, ...], Callable, Callable]:
        """See `UsableNetwork.open`."""
        names = self.network.picture_names(choice)
        with tf.Graph().as_default():
            lr = tf.placeholder(tf.float32, [1, None, None, 3], "lr")
            with scope(self.precision):
                made = {scale: self.network.pictures(lr, scale, choice) for scale in scales}
            session = self.session()

        def run(picture, scale):
            return session.run(made[scale], {lr: picture})

        return names, run, session.close

    def identity(self) -> str:
        """A digest of the weights and of what decides the result; equal for equal networks."""
        fields = self.network.to_dict()
        description = contents.describe(self.prefix)
        # The shapes of the weights tell the rest.
        told = set(description.told) - {"scales"}
        form = {name: value for name, value in fields.items() if name not in told}
        digest = hashlib.sha256(json.dumps(form, sort_keys=True).encode())
        reader = literal.reader(self.prefix)
        for name in description.weights:
            digest.update(name.encode())
            digest.update(reader.get_tensor(description.trained(name)).tobytes())
        return digest.hexdigest()[:16]


def find(
    checkpoint: Optional[str] = None,
    given: Optional[Mapping[str, Any]] = None,
    session_config: Optional[tf.ConfigProto] = None,
    precision: str = FLOAT32,
) -> TrainedNetwork:
    """The network that the user means.

    Args:
      checkpoint: what `checkpoints.files.resolve` takes; None for the network for clean pictures
        that comes with the project.
      given: see `contents.network_of`.
      session_config: options of its sessions; see `new_session`.
      precision: in which it is computed.

    Raises:
      UserError: there is no checkpoint, or it cannot be used.
    """
    prefix = checkpoint_files.resolve(checkpoint or PRETRAINED)
    return TrainedNetwork(prefix, contents.network_of(prefix, given), session_config, precision)
