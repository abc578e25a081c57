"""An exported network in memory: its signatures, and the session that runs them."""

import os
import re
from typing import Any, Optional, Sequence

import numpy as np

from bsrn_estimator import files
from bsrn_estimator.checkpoints.usable import TENSORFLOW
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.export import about, exported, finding, graph
from bsrn_estimator.networks.precision import FLOAT32
from bsrn_estimator.scales import require
from bsrn_estimator.serve.limits import Limits
from bsrn_estimator.serve.served import ServedModel
from bsrn_estimator.serve.signatures import Signature, Tensor

_RGB_NAME = re.compile(r"x(\d+)_rgb$")


def version_folder(folder: str) -> str:
    """The SavedModel that `folder` is or holds; the newest where it holds several.

    Raises:
      UserError: there is none.
    """
    found = finding.saved_model_in(folder)
    if found is None:
        state = "holds no SavedModel" if os.path.isdir(folder) else "is not a folder"
        raise UserError("--model=%s %s; name one that --mode=export wrote" % (folder, state))
    return found


class Model(ServedModel):
    """A SavedModel of this project, loaded.

    Attributes:
      info: what export.json says, or an empty dict.
    """

    engine = TENSORFLOW

    def __init__(
        self,
        folder: str,
        scales: Optional[Sequence[int]] = None,
        max_pixels: int = Limits.pixels,
        name: str = "",
        precision: str = FLOAT32,
    ):
        """Loads the export.

        Args:
          folder: a SavedModel, or a folder with numbered ones, as --mode=export writes them.
          scales: serves these scales alone; None serves all that the export has.
          max_pixels: `decode` refuses larger pictures.
          name: what messages call it; by default the folder.
          precision: in which it is computed, see `networks.precision`.

        Raises:
          UserError: this is not an export of this project, or lacks one of these scales.
        """
        self.folder = version_folder(folder)
        self._called = name or self.folder
        self._session = tf.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            definitions = exported.load_saved_model(self._session, self.folder)
            self._encoded = tf.placeholder(tf.string, [])
            self._decoded = graph.decode_bounded(self._encoded, max_pixels)
            self._picture = tf.placeholder(tf.uint8, [None, None, 3])
            self._png = tf.image.encode_png(self._picture)
        self.signatures = {name: _signature(one) for name, one in definitions.items()}
        self.info = self._read_info()
        self.overlap = about.overlap_of(self.info)
        self.version = self._version()
        self.scales = self._choose(scales)
        self.precision = precision
        with self._session.graph.as_default():
            tensors = exported.tensors_of(self._session, definitions, self.scales, precision)
        self._runs = {
            scale: self._session.make_callable(hr, [lr]) for scale, (lr, hr) in tensors.items()
        }
        self._decode = self._session.make_callable(self._decoded, [self._encoded])
        self._encode = self._session.make_callable(self._png, [self._picture])

    def _read_info(self) -> dict:
        path = about.path_of(self.folder)
        info = files.read_json(path) if os.path.exists(path) else {}
        if not isinstance(info, dict) or not isinstance(info.get("step", 0), int):
            raise UserError("%s does not describe an export" % path)
        return info

    def _version(self) -> int:
        name = os.path.basename(os.path.abspath(self.folder))
        return int(name) if name.isdigit() else int(self.info.get("step") or 1)

    def _choose(self, wanted):
        matches = [_RGB_NAME.match(name) for name in self.signatures]
        held = sorted(int(match.group(1)) for match in matches if match)
        if not held:
            raise UserError(
                "%s has no signature such as x2_rgb; it was not exported by --mode=export"
                % self._called
            )
        require(wanted or (), held, self._called)
        return tuple(sorted(set(wanted))) if wanted else tuple(held)

    def upscale(self, lr: np.ndarray, scale: int) -> np.ndarray:
        """See `ServedModel.upscale`."""
        return self._runs[scale](lr)

    def decode(self, encoded: bytes) -> np.ndarray:
        """See `ServedModel.decode`."""
        try:
            return self._decode(encoded)
        except tf.errors.InvalidArgumentError as error:
            raise ValueError(_reason(error)) from None

    def encode(self, picture: np.ndarray) -> bytes:
        """A PNG of a uint8 [height, width, 3] picture, as the `_bytes` signatures write it."""
        return self._encode(picture)

    def close(self) -> None:
        """Frees the session."""
        self._session.close()


def _signature(definition: Any) -> Signature:
    """A signature of a tf.SignatureDef."""
    inputs, outputs = (
        {key: _tensor(info) for key, info in infos.items()}
        for infos in (definition.inputs, definition.outputs)
    )
    return Signature(inputs, outputs, definition.method_name)


def _tensor(info: Any) -> Tensor:
    shape = info.tensor_shape
    sides = None if shape.unknown_rank else tuple(int(dim.size) for dim in shape.dim)
    name = "DT_" + tf.as_dtype(info.dtype).name.upper().replace("FLOAT32", "FLOAT")
    return Tensor(name, sides, info.name)


def _reason(error) -> str:
    """The part of an op's error that speaks of the picture."""
    asserted = re.search(r"assertion failed: \[(.*?)\]", error.message)
    return asserted.group(1) if asserted else "it is damaged or cut short"
