"""What one conversion is asked to do, checked and with every default filled in."""

import dataclasses
import os
from typing import Optional, Tuple

from bsrn_estimator import cores, scales
from bsrn_estimator.data.manifest import ENCODINGS, KINDS, SPLITS, name_of_folder
from bsrn_estimator.data.tiles import common_multiple, default_tile_size, least_overlap
from bsrn_estimator.errors import UserError
from bsrn_estimator.pictures.decoding import MAX_PIXELS
from data_tools import degradations

DATASETS = ("div2k", "bsd100", "benchmark", "usr248", "folder", "tfds")
# What of a picture has its contrast stretched, see `pictures.stretch`.
STRETCHES = ("lr", "both")

_DEFAULT_SPLIT = {"div2k": "train", "tfds": "train", "folder": "train", "usr248": "train"}
_SCALES = (2, 3, 4)
# USR-248 has no others.
_DEFAULT_SCALES = {"usr248": (2, 4, 8)}
# A picture of USR-248 is one tile at any scale, so that whole ones can be trained on.
_LEAST_TILES = {"usr248": 640}


def default_scales(dataset: str) -> Tuple[int, ...]:
    """The scales of a data set where the user names none."""
    return _DEFAULT_SCALES.get(dataset, _SCALES)


@dataclasses.dataclass(frozen=True)
class ConversionOptions:
    """One conversion; `complete` fills in what is None.

    Attributes:
      dataset: the layout of the input: one of `DATASETS`.
      input_dir: the folder to read; unused for "tfds".
      output_dir: the folder to write.
      scales: scales of the LR pictures, ascending.
      split: "train", "valid" or "test": which part of the input, and the name of the shards.
      kind: "training", cut into tiles; or "evaluation", whole pictures.
      tile_size: height and width of a tile in HR pixels.
      patch_size: the largest LR patch, in pixels, that training will cut from the tiles.
      encoding: "png" or "raw".
      degrade: what is done to the LR pictures, as in "noise:3,jpeg:75"; empty for nothing.
      stretch: whose contrast is stretched as SRDRM's loader does: "lr", "both" for LR and HR, or
        empty for none.
      shard_bytes: about how large a shard becomes.
      workers: processes that decode and encode; 0 is one for each core.
      max_pixels: the most pixels that a picture may announce.
      skip_bad: leave bad pictures out instead of refusing.
      overwrite: convert again where finished output is.
      follow_links: follow symbolic links out of the input folder.
      tfds_data_dir: where tensorflow-datasets keeps its data; None is its own default.
      name: what the set is called in tables and curves; by default as `output_dir`.
    """

    dataset: str
    input_dir: Optional[str] = None
    output_dir: Optional[str] = None
    scales: Tuple[int, ...] = _SCALES
    split: Optional[str] = None
    kind: Optional[str] = None
    tile_size: Optional[int] = None
    patch_size: int = 48
    encoding: str = "png"
    degrade: str = ""
    stretch: str = ""
    shard_bytes: int = 100 * 10**6
    workers: int = 0
    max_pixels: int = MAX_PIXELS
    skip_bad: bool = False
    overwrite: bool = False
    follow_links: bool = False
    tfds_data_dir: Optional[str] = None
    name: Optional[str] = None

    @property
    def training(self) -> bool:
        """Whether pictures are cut into tiles."""
        return self.kind == "training"

    @property
    def overlap(self) -> int:
        """HR pixels that neighbouring tiles share at least; 0 for whole pictures."""
        return least_overlap(self.patch_size, self.scales) if self.training else 0

    def complete(self) -> "ConversionOptions":
        """The same options, checked, without a None that has a default.

        Raises:
          UserError: a value is out of range or missing, or two contradict each other.
        """
        for holds, message in self._rules():
            if not holds:
                raise UserError(message)
        scales.check(self.scales)
        split = self.split or _DEFAULT_SPLIT.get(self.dataset, "test")
        # A folder's pictures are for training unless its user says otherwise.
        training = split == "train" or self.dataset == "folder"
        kind = self.kind or ("training" if training else "evaluation")
        tile_size = 0
        if kind == "training":
            tile_size = self.tile_size or self._default_tile_size()
            self._check_tile_size(tile_size)
        return dataclasses.replace(
            self,
            split=split,
            kind=kind,
            degrade=degradations.normalised([self.degrade]),
            tile_size=tile_size,
            patch_size=self.patch_size if kind == "training" else 0,
            workers=self.workers or cores.usable(),
            output_dir=self.output_dir or self._default_output_dir(split),
        )

    def _rules(self):
        for name, choices in (
            ("dataset", DATASETS),
            ("split", SPLITS + (None,)),
            ("kind", KINDS + (None,)),
            ("encoding", ENCODINGS),
            ("stretch", STRETCHES + ("",)),
        ):
            value = getattr(self, name)
            yield (
                value in choices,
                "--%s takes %s, not %s" % (name, " or ".join(c for c in choices if c), value),
            )
        for name, least in (
            ("patch_size", 1),
            ("shard_bytes", 1),
            ("workers", 0),
            ("max_pixels", 1),
        ):
            value = getattr(self, name)
            yield value >= least, "--%s must be at least %d, not %d" % (name, least, value)
        yield self.workers <= 256, "--workers must be at most 256, not %d" % self.workers
        yield (
            self.dataset == "tfds" or self.input_dir,
            "--input_dir is needed: the folder that holds the pictures of --dataset=%s"
            % self.dataset,
        )
        yield (
            self.dataset != "usr248" or self.split != "valid",
            "--dataset=usr248 has the splits train and test, not valid",
        )
        yield (
            self.name is None or (self.name.strip() and not set(self.name) & set("/,")),
            "--name=%s must be a plain name, without / and commas" % self.name,
        )

    def _default_tile_size(self) -> int:
        least, multiple = _LEAST_TILES.get(self.dataset, 0), common_multiple(self.scales)
        whole = -(-least // multiple) * multiple
        return max(default_tile_size(self.patch_size, self.scales), whole)

    def _check_tile_size(self, tile_size: int) -> None:
        multiple = common_multiple(self.scales)
        least = least_overlap(self.patch_size, self.scales) + multiple
        if tile_size < least:
            raise UserError(
                "--tile_size=%d is too small for patches of %dx%d LR pixels at x%d; take at least "
                "%d, better %d, or a smaller --patch_size"
                % (
                    tile_size,
                    self.patch_size,
                    self.patch_size,
                    max(self.scales),
                    least,
                    default_tile_size(self.patch_size, self.scales),
                )
            )
        if tile_size % multiple:
            raise UserError(
                "--tile_size=%d must be a multiple of %d, which %s divide; take %d"
                % (
                    tile_size,
                    multiple,
                    scales.listed(self.scales),
                    -(-tile_size // multiple) * multiple,
                )
            )

    def _default_output_dir(self, split: str) -> str:
        if self.dataset in ("div2k", "tfds"):
            return os.path.join("tfrecords", "div2k_" + split)
        if self.dataset == "usr248":
            return os.path.join("tfrecords", "usr248_" + split)
        if self.dataset == "bsd100":
            return os.path.join("tfrecords", "bsd100")
        return os.path.join("tfrecords", name_of_folder(self.input_dir))
