"""What to export, and how."""

import dataclasses
from typing import Optional, Tuple

from bsrn_estimator.errors import UserError

FORMATS = ("saved_model", "frozen", "onnx")


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """What to export, and how.

    Attributes:
      export_dir: folder to write into; None for the folder `export` in `model_dir`.
      export_format: one of `FORMATS`.
      checkpoint: a checkpoint or folder; None for the newest in `model_dir`.
      model_dir: a folder that training wrote.
      recursions: of a checkpoint without a configuration; None where not given.
      recursion_frequency: likewise.
      scales: the scales to export; None for all that the network has.
      size: height and width of the LR picture (frozen, onnx); None leaves them free.
      output: "ensemble" or "last".
      first_output: leaves the outputs of smaller index out of the ensemble.
      max_pixels: largest picture that the `_bytes` signatures of a SavedModel decode.
      overwrite: replaces what is there.
    """

    export_dir: Optional[str] = None
    export_format: str = "saved_model"
    checkpoint: Optional[str] = None
    model_dir: Optional[str] = None
    recursions: Optional[int] = None
    recursion_frequency: Optional[int] = None
    scales: Optional[Tuple[int, ...]] = None
    size: Optional[Tuple[int, int]] = None
    output: str = "ensemble"
    first_output: int = 0
    max_pixels: int = 2**22
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.export_format not in FORMATS:
            raise UserError(
                "--export_format takes %s, not %s" % (" or ".join(FORMATS), self.export_format)
            )
        if self.output not in ("ensemble", "last"):
            raise UserError(
                "an export holds one output: --output takes ensemble or last, not %s" % self.output
            )
        if self.size and self.export_format == "saved_model":
            raise UserError(
                "--export_size fixes the shape of a frozen graph or an ONNX model; leave it out, "
                "or give --export_format=frozen or onnx"
            )
        if self.size and (len(self.size) != 2 or min(self.size) < 1):
            raise UserError("--export_size takes HEIGHT,WIDTH in LR pixels, such as 120,80")
        if self.max_pixels < 1:
            raise UserError("--max_pixels must be at least 1, not %d" % self.max_pixels)
