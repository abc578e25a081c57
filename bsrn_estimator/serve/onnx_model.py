"""ONNX models in memory, for a server without TensorFlow; in the place of `model.Model`."""

import io
import warnings
from typing import Optional, Sequence

import numpy as np
from PIL import Image

from bsrn_estimator.engines.onnx_network import OnnxNetwork
from bsrn_estimator.errors import UserError
from bsrn_estimator.scales import require
from bsrn_estimator.serve import signatures
from bsrn_estimator.serve.limits import Limits
from bsrn_estimator.serve.served import ServedModel


class OnnxModel(ServedModel):
    """A network in another engine than TensorFlow."""

    def __init__(
        self,
        network: OnnxNetwork,
        scales: Optional[Sequence[int]] = None,
        max_pixels: int = Limits.pixels,
        name: str = "",
    ):
        """Takes the models; they are loaded by `warm_up`.

        Args:
          network: what computes.
          scales: serves these scales alone; None serves all that there are.
          max_pixels: `decode` refuses larger pictures.
          name: what messages call it; by default the path of a model.

        Raises:
          UserError: it lacks one of these scales, or takes pictures of one size alone.
        """
        require(scales or (), network.scales, name or network.path)
        if network.fixed_shape:
            raise UserError(
                "%s takes pictures of %d x %d pixels alone; serve one that was exported without "
                "--export_size" % ((network.path,) + network.fixed_shape)
            )
        self.folder, self.version = network.path, network.step or 1
        self.scales = tuple(sorted(set(scales))) if scales else network.scales
        self.precision, self.engine = network.precision, network.engine
        self.overlap = network.overlap
        self.signatures = signatures.of_scales(self.scales)
        self._max_pixels = max_pixels
        _, self._run, self._close = network.open(self.scales, network.held)

    def upscale(self, lr: np.ndarray, scale: int) -> np.ndarray:
        """The network's picture of `lr`; see `ServedModel.upscale`."""
        return np.clip(self._run(lr, scale)[0], 0, 255)

    def decode(self, encoded: bytes) -> np.ndarray:
        """The uint8 [height, width, 3] picture of a PNG or JPEG, as `graph.decode_bounded`.

        Raises:
          ValueError: it is not one, is damaged, or too large; the message is the reason.
        """
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Pillow's own bound of pixels
                with Image.open(io.BytesIO(encoded), formats=("PNG", "JPEG")) as image:
                    if image.width * image.height > self._max_pixels:
                        raise ValueError("the picture has more than %d pixels" % self._max_pixels)
                    if image.mode.startswith("I"):  # 16 bits of grey, of which eight are kept
                        grey = (np.asarray(image).astype(np.int64) >> 8).astype(np.uint8)
                        return np.repeat(grey[..., np.newaxis], 3, axis=2)
                    return np.asarray(image.convert("RGB"))
        except (Image.UnidentifiedImageError, Image.DecompressionBombError):
            raise ValueError("the bytes are neither a PNG nor a JPEG") from None
        except (OSError, SyntaxError, EOFError, MemoryError):
            raise ValueError("it is damaged or cut short") from None

    def encode(self, picture: np.ndarray) -> bytes:
        """A PNG of a uint8 [height, width, 3] picture."""
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG", compress_level=4)
        return file.getvalue()

    def close(self) -> None:
        """Frees the models."""
        self._close()
