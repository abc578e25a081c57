"""What the server needs of a network in memory, whatever engine runs it."""

import abc
from typing import Dict, Tuple

import numpy as np

from bsrn_estimator.pictures.tiling import OVERLAP
from bsrn_estimator.serve.signatures import Signature


class ServedModel(abc.ABC):
    """A network in memory.

    Attributes:
      folder: where it was loaded from.
      version: the folder's number as TensorFlow Serving counts, the step of the checkpoint where
        the folder has none, else 1.
      scales: the scales that are served, ascending.
      precision: in which the network is computed.
      engine: what computes it.
      signatures: everything that the export holds, by name.
      overlap: context around what a tile keeps, in LR pixels.
    """

    folder: str
    version: int
    scales: Tuple[int, ...]
    precision: str
    engine: str
    signatures: Dict[str, Signature]
    overlap: int = OVERLAP

    @abc.abstractmethod
    def upscale(self, lr: np.ndarray, scale: int) -> np.ndarray:
        """The network's picture of `lr`.

        Args:
          lr: float32 [batch, height, width, 3], RGB in 0..255.
          scale: one of `scales`.

        Returns:
          float32 [batch, scale * height, scale * width, 3], in 0..255, not rounded.
        """

    @abc.abstractmethod
    def decode(self, encoded: bytes) -> np.ndarray:
        """The uint8 [height, width, 3] picture that the `_bytes` signatures decode.

        Raises:
          ValueError: they would refuse these bytes; the message is their reason.
        """

    @abc.abstractmethod
    def encode(self, picture: np.ndarray) -> bytes:
        """A PNG of a uint8 [height, width, 3] picture."""

    def warm_up(self) -> None:
        """Runs each scale once: engines prepare a network when it first runs."""
        for scale in self.scales:
            self.upscale(np.zeros([1, 8, 8, 3], np.float32), scale)

    @abc.abstractmethod
    def close(self) -> None:
        """Frees what it holds."""
