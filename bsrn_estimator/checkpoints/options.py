"""Which trained network is used, and which of its outputs: what predict and export share."""

import dataclasses
from typing import Any, Mapping, Optional, Tuple

from bsrn_estimator import files
from bsrn_estimator.networks.choice import OutputChoice
from bsrn_estimator.settings import USE, setting


@dataclasses.dataclass(frozen=True)
class UseOptions(OutputChoice):
    """A trained network and the outputs wanted of it.

    Attributes:
      checkpoint: a checkpoint, a folder of checkpoints, or where an export serves as well, that;
        None for the newest checkpoint in `model_dir`.
      model_dir: a folder that training wrote.
      given: fields of the network that the user gave, see `contents.network_of`.
      scales: the scales wanted; None for all that the network has.
    """

    checkpoint: Optional[str] = None
    model_dir: Optional[str] = None
    given: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    scales: Optional[Tuple[int, ...]] = None
    overwrite: bool = setting(False, "makes again, or replaces, what is there", modes=USE)

    @property
    def named(self) -> Optional[str]:
        """What names the network; None where that is left open, for there is no such run either."""
        return self.checkpoint or (self.model_dir if self._trained_here() else None)

    def _trained_here(self) -> bool:
        # A run that ended before its first checkpoint counts, so that nobody takes another network
        # for it; a folder with nothing in it does not.
        return bool(self.model_dir and files.names_in(self.model_dir))

    @property
    def choice(self) -> OutputChoice:
        """The outputs wanted."""
        return OutputChoice(self.output, self.first_output)
