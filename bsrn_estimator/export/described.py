"""A network in an export that says what it is, whatever runs it."""

import hashlib
import json

from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.checkpoints.usable import UsableNetwork
from bsrn_estimator.errors import UserError
from bsrn_estimator.export import about
from bsrn_estimator.networks.choice import OutputChoice
from bsrn_estimator.pictures.tiling import default_tile


class DescribedNetwork(UsableNetwork):
    """What an export says of itself, as a network that is to be used; a subclass runs it.

    Args:
      path: the export, a SavedModel's folder or a model's file.

    Raises:
      UserError: it is not an export of this project.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._info = about.read(path)
        self.scales = tuple(self._info["scales"])
        size = self._info["pictures"]["lr_size"]
        self.fixed_shape = (size[0], size[1]) if size else None
        self.step = self._info["step"]
        self.overlap = about.overlap_of(self._info)
        self.name = "%s (exported at step %d)" % (path, self.step)

    @property
    def parameters(self) -> int:
        """See `UsableNetwork.parameters`.

        Raises:
          UserError: the export does not tell.
        """
        fields = self._info.get("hyper_parameters")
        if not isinstance(fields, dict):
            raise UserError("%s does not say what network it is of" % self.path)
        return Config.from_dict(fields, self.path).network.parameters()

    def tile(self, scale: int) -> int:
        """Side of a tile in LR pixels that keeps memory under 1 GB."""
        return default_tile(scale, self.overlap)

    @property
    def held(self) -> OutputChoice:
        """The outputs that the export gives."""
        return OutputChoice(self._info["output"], self._info["first_output"])

    def _check(self, choice: OutputChoice) -> None:
        """Raises UserError where the export does not hold the outputs wanted."""
        held = (self._info["output"], self._info["first_output"])
        if choice.output != held[0] or choice.first_output not in (0, held[1]):
            raise UserError(
                "%s was exported with --output=%s --first_output=%d and gives nothing else; use "
                "the checkpoint for other outputs" % ((self.path,) + held)
            )

    def identity(self) -> str:
        """The digest that `trained.TrainedNetwork.identity` gave, and the output exported."""
        held = json.dumps([self._info[name] for name in ("network", "output", "first_output")])
        return hashlib.sha256(held.encode()).hexdigest()[:16]
