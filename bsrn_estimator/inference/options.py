"""What to upscale, with what, and where to."""

import dataclasses
import os
from typing import Any, Optional, Tuple

from bsrn_estimator.errors import UserError, printable
from bsrn_estimator.pictures.decoding import MAX_PIXELS
from bsrn_estimator.pictures.results import FORMATS
from bsrn_estimator.pictures.tiling import OVERLAP


@dataclasses.dataclass(frozen=True)
class PredictOptions:
    """What to upscale, with what, and where to.

    Attributes:
      input: a picture, a folder, or a pattern.
      output_dir: folder to write into.
      checkpoint: a checkpoint, a folder of checkpoints, or an exported model; None for the newest
        checkpoint in `model_dir`.
      model_dir: a folder that training wrote.
      recursions: of a checkpoint without a configuration; None where not given.
      recursion_frequency: likewise.
      scales: the scales to upscale by; None for all that the network has.
      output: "ensemble", "last" or "all".
      first_output: leaves the outputs of smaller index out of the ensemble.
      tile: height and width of a tile in LR pixels; None for a choice by scale.
      overlap: context around what a tile keeps, in LR pixels.
      self_ensemble: the mean over the eight flips and rotations.
      compare: writes the bicubic enlargement too.
      hr_dir: folder of the HR pictures to compare with; needs exactly one scale.
      shave: pixels that the metrics leave out on each side; None for the scale.
      overwrite: makes results again that are finished, and replaces files that are none.
      max_pixels: larger pictures are refused.
      output_format: "png", "jpeg" or "webp".
      quality: 1 to 100, of JPEG and WebP; None for 95 of JPEG and a WebP that loses nothing.
      first_frame: takes the first frame or page where there are several, instead of refusing.
      follow_links: looks into linked folders.
      from_results: takes what predict has written for pictures too.
      session_config: a tf.ConfigProto with the devices and threads to use; None for all.
    """

    input: str = ""
    output_dir: str = "upscaled"
    checkpoint: Optional[str] = None
    model_dir: Optional[str] = None
    recursions: Optional[int] = None
    recursion_frequency: Optional[int] = None
    scales: Optional[Tuple[int, ...]] = None
    output: str = "ensemble"
    first_output: int = 0
    tile: Optional[int] = None
    overlap: int = OVERLAP
    self_ensemble: bool = False
    compare: bool = False
    hr_dir: Optional[str] = None
    shave: Optional[int] = None
    overwrite: bool = False
    max_pixels: int = MAX_PIXELS
    output_format: str = "png"
    quality: Optional[int] = None
    first_frame: bool = False
    follow_links: bool = False
    from_results: bool = False
    session_config: Any = None

    def __post_init__(self) -> None:
        if not self.input:
            raise UserError("--mode=predict needs --input: a picture, a folder, or a pattern")
        if self.hr_dir and not os.path.isdir(self.hr_dir):
            raise UserError("--hr_dir=%s is not a folder" % printable(self.hr_dir))
        if self.tile is not None and self.tile <= 2 * self.overlap:
            raise UserError(
                "--tile=%d leaves nothing between two margins of --tile_overlap=%d; make it larger "
                "than %d" % (self.tile, self.overlap, 2 * self.overlap)
            )
        if self.overlap < 0:
            raise UserError("--tile_overlap must be at least 0, not %d" % self.overlap)
        if self.output_format not in FORMATS:
            raise UserError(
                "--output_format takes %s, not %s" % (" or ".join(FORMATS), self.output_format)
            )
        if self.quality is not None and not 1 <= self.quality <= 100:
            raise UserError("--quality takes 1 to 100, not %d" % self.quality)
        if self.quality is not None and self.output_format == "png":
            raise UserError("--quality is for --output_format=jpeg or webp; a PNG loses nothing")
