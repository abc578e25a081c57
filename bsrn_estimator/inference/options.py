"""What to upscale, with what, and where to."""

import dataclasses
import os
from typing import Iterator, Optional, Tuple

from bsrn_estimator.checkpoints.options import UseOptions
from bsrn_estimator.engines.runtimes import AUTO, ENGINES
from bsrn_estimator.errors import printable
from bsrn_estimator.evaluation.grey import BY_FILE, RULES
from bsrn_estimator.pictures.decoding import MAX_PIXELS
from bsrn_estimator.pictures.png import LEVEL
from bsrn_estimator.pictures.results import FORMATS
from bsrn_estimator.pictures.tiling import OVERLAP
from bsrn_estimator.settings import setting


@dataclasses.dataclass(frozen=True)
class PredictOptions(UseOptions):
    """What to upscale, with what, and where to; an export serves as `checkpoint` as well.

    Raises:
      UserError: a value is out of range, or two contradict each other.
    """

    input: str = setting("", "a picture, a folder of pictures, or a pattern in quotes")
    output_dir: str = setting("upscaled", "folder for the results")
    engine: str = setting(
        AUTO,
        "what computes the network; auto takes the fastest that is installed and has its model "
        "ready",
        choices=ENGINES,
    )
    self_ensemble: bool = setting(False, "mean over eight flips and rotations, eight times as slow")
    output_format: str = setting("png", "what the results are written as", choices=FORMATS)
    quality: Optional[int] = setting(
        None, "1 to 100, of JPEG and WebP", kind=int, shown="JPEG 95; WebP that loses nothing"
    )
    png_level: Optional[int] = setting(
        None,
        "0 to 9, how much a PNG is compressed; 6 makes drawings a quarter smaller, at a third of "
        "the speed",
        kind=int,
        least=0,
        most=9,
        shown=str(LEVEL),
    )
    first_frame: bool = setting(False, "takes the first of several frames or pages")
    follow_links: bool = setting(False, "looks into linked folders")
    from_results: bool = setting(False, "takes what predict has written for pictures too")
    compare: bool = setting(False, "writes the bicubic enlargement too")
    hr_dir: Optional[str] = setting(
        None, "HR pictures of the same names, to compare the results with", kind=str
    )
    shave: Optional[int] = setting(None, kind=int, flag=None)
    grey: str = setting(BY_FILE, flag=None, choices=RULES)
    tile: Optional[int] = setting(
        None,
        "largest tile, as the side of a square in LR pixels",
        kind=int,
        least=1,
        shown="what keeps memory under 1 GB",
    )
    tile_overlap: Optional[int] = setting(
        None,
        "context around what a tile keeps, in LR pixels",
        kind=int,
        least=0,
        shown="%d for bsrn; what the network needs" % OVERLAP,
    )
    max_pixels: int = setting(
        MAX_PIXELS,
        "the largest picture read (predict), or decoded by an exported SavedModel (export)",
        flag=None,
        least=1,
    )

    @property
    def level(self) -> int:
        """How much a PNG is compressed."""
        return LEVEL if self.png_level is None else self.png_level

    def _rules(self) -> Iterator[Tuple[bool, str]]:
        yield (
            bool(self.input),
            "--mode=predict needs --input: a picture, a folder, or a pattern",
        )
        yield (
            not self.hr_dir or os.path.isdir(self.hr_dir),
            "--hr_dir=%s is not a folder" % printable(self.hr_dir or ""),
        )
        overlap = OVERLAP if self.tile_overlap is None else self.tile_overlap
        yield (
            self.tile is None or self.tile > 2 * overlap,
            "--tile=%s leaves nothing between two margins of --tile_overlap=%d; make it larger "
            "than %d" % (self.tile, overlap, 2 * overlap),
        )
        quality = self.quality
        yield (
            quality is None or 1 <= quality <= 100,
            "--quality takes 1 to 100, not %s" % quality,
        )
        yield (
            quality is None or self.output_format != "png",
            "--quality is for --output_format=jpeg or webp; a PNG loses nothing",
        )
        yield (
            self.png_level is None or self.output_format == "png",
            "--png_level is for --output_format=png; of the others --quality decides the size",
        )
