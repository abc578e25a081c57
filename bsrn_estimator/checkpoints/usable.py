"""What every network with its weights offers to what upscales pictures, whatever computes it."""

import abc
from typing import Callable, Optional, Sequence, Tuple

from bsrn_estimator.networks.choice import OutputChoice
from bsrn_estimator.networks.precision import FLOAT32
from bsrn_estimator.pictures.tiling import OVERLAP

TENSORFLOW = "tensorflow"


class UsableNetwork(abc.ABC):
    """A network with its weights, whatever holds them: what upscales pictures takes one.

    Attributes:
      scales: the scales that it has.
      fixed_shape: height and width of the LR pictures that it takes; None where they are free.
      step: the global step of its checkpoint; 0 where it is not known.
      name: what to call it in messages.
      precision: in which it is computed, see `networks.precision`.
      engine: what computes it.
      overlap: context around what a tile keeps, in LR pixels, that brings it within one grey level.
    """

    scales: Tuple[int, ...]
    fixed_shape: Optional[Tuple[int, int]] = None
    step: int
    name: str
    precision: str = FLOAT32
    engine: str = TENSORFLOW
    overlap: int = OVERLAP

    @property
    @abc.abstractmethod
    def parameters(self) -> int:
        """The number of trainable parameters, of all scales of the network together."""

    @abc.abstractmethod
    def tile(self, scale: int) -> int:
        """Side of a tile in LR pixels that keeps memory under 1 GB."""

    @abc.abstractmethod
    def open(
        self, scales: Sequence[int], choice: OutputChoice
    ) -> Tuple[Tuple[str, ...], Callable, Callable]:
        """Makes some scales ready.

        Returns:
          The names of the pictures; a function from float32 [1, height, width, 3] in 0..255 and a
          scale to a list of float32 [1, s * height, s * width, 3], one for each name; and one that
          ends the session.

        Raises:
          UserError: it has no such output.
        """

    @abc.abstractmethod
    def identity(self) -> str:
        """A digest of the weights and of what decides the result; equal for equal networks."""
