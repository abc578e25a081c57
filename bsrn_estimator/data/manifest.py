"""The description of a converted data set: what its shards hold, and how to tell them whole.

Version 2 tells the size of every picture, and with it which tiles there are (`tiles`): what is read
how often follows from it (`shares`). Version 1 does not, and its records are read equally often.
"""

import collections
import dataclasses
import itertools
import os
import re
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

from bsrn_estimator import files
from bsrn_estimator.data import tiles
from bsrn_estimator.errors import UserError

FORMAT_VERSION = 2
FILE_NAME = "manifest.json"
KINDS = ("training", "evaluation")
SPLITS = ("train", "valid", "test")
ENCODINGS = ("png", "raw")
# Folders that say what their pictures are, not which set they are of.
_UNTELLING = ("hr", "gt", "sr")
_SIZE = re.compile("[1-9][0-9]{0,6}x[1-9][0-9]{0,6}")


@dataclasses.dataclass(frozen=True)
class Shard:
    """One TFRecord file.

    Attributes:
      name: its file name inside the data folder.
      records: how many records it holds.
      bytes: its size.
      crc32c: the plain (not masked) CRC-32C of the whole file.
      sizes: "WIDTHxHEIGHT" of the HR pictures that it holds records of, in their order; none in
        version 1.
    """

    name: str
    records: int
    bytes: int
    crc32c: int
    sizes: Tuple[str, ...] = ()

    @property
    def picture_sizes(self) -> List[Tuple[int, int]]:
        """Height and width of each picture of `sizes`."""
        parsed = {size: parsed_size(size) for size in set(self.sizes)}
        return [parsed[size] for size in self.sizes]


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What `manifest.json` beside the shards says.

    Attributes:
      format_version: 1 or 2. A reader refuses a newer one.
      dataset: what was converted, e.g. "div2k".
      split: "train", "valid" or "test"; the first part of the shards' names.
      kind: "training", tiles; or "evaluation", whole pictures.
      scales: the scales that every record has an LR picture of, ascending.
      encoding: "png", or "raw": RGB, uint8, row after row.
      tile_size: height and width of an HR tile in pixels, which in version 2 may be exceeded by an
        eighth; 0 for whole pictures.
      overlap: least number of HR pixels that neighbouring tiles share; 0 for whole pictures.
      pictures: number of pictures converted.
      records: number of records in all shards.
      skipped: number of pictures left out because they were bad.
      shards: the files, in the order of the records.
      patch_size: the largest LR patch, in pixels, of which every position at every scale lies
        inside some tile, and which fits into every tile; 0 where unknown, and for whole pictures.
      degrade: what was done to the LR pictures, as in "jpeg:75"; empty for nothing.
      name: what the set is called in tables and curves; "" where that was not written yet.
      stretch: whose contrast was stretched (`pictures.stretch`): "lr", "both", or "" for none.
    """

    format_version: int
    dataset: str
    split: str
    kind: str
    scales: Tuple[int, ...]
    encoding: str
    tile_size: int
    overlap: int
    pictures: int
    records: int
    skipped: int
    shards: Tuple[Shard, ...]
    patch_size: int = 0
    degrade: str = ""
    name: str = ""
    stretch: str = ""

    def name_in(self, data_dir: str) -> str:
        """What the set in `data_dir` is called: its own name, else that of its folder."""
        return self.name or name_of_folder(data_dir) or self.dataset

    @property
    def bytes(self) -> int:
        """Size of all shards together."""
        return sum(shard.bytes for shard in self.shards)

    def require(
        self,
        scales: Iterable[int] = (),
        kind: Optional[str] = None,
        patch_size: Optional[int] = None,
        source: str = "the data",
    ) -> None:
        """Checks that this data can serve a reader.

        Args:
          scales: the scales that the reader needs.
          kind: "training" or "evaluation", or None for either.
          patch_size: height and width of the reader's LR patches, or None.
          source: names the data in the message; usually the folder.

        Raises:
          UserError: it cannot, with the reason and the remedy.
        """
        if kind is not None and kind != self.kind:
            raise UserError(
                "%s holds %s data, not %s data; convert it with --kind=%s, or name another folder"
                % (source, self.kind, kind, kind)
            )
        missing = sorted(set(scales) - set(self.scales))
        if missing:
            raise UserError(
                "%s has no LR pictures for scale %s, only for %s; convert it again with --scales=%s"
                % (source, _listed(missing), _listed(self.scales), _listed(set(scales)))
            )
        if patch_size is not None and 0 < self.patch_size < patch_size:
            raise UserError(
                "%s was converted for LR patches of up to %d pixels, not %d; train with "
                "--patch_size=%d, or convert it again with --patch_size=%d"
                % (source, self.patch_size, patch_size, self.patch_size, patch_size)
            )

    def to_dict(self) -> Dict[str, Any]:
        """All fields, in the order of the class; `stretch` only where something was stretched, so
        that versions of this program that do not know it read the others."""
        values = dataclasses.asdict(self)
        if not self.stretch:
            del values["stretch"]
        return values

    def save(self, data_dir: str) -> str:
        """Writes `data_dir`/manifest.json, whole or not at all, and returns its path."""
        path = os.path.join(data_dir, FILE_NAME)
        files.write_json(path, self.to_dict())
        return path

    @classmethod
    def load(cls, data_dir: str) -> "Manifest":
        """The manifest of the data set in `data_dir`; the shards must be there at their size.

        Raises:
          UserError: there is no manifest, it is newer or damaged, it contradicts itself, or a
            shard is missing or not of the size it should have.
        """
        manifest = cls.load_alone(data_dir)
        manifest.check_sizes(data_dir, lambda name: os.path.getsize(os.path.join(data_dir, name)))
        return manifest

    def check_sizes(self, data_dir: str, size_of: Callable[[str], int]) -> None:
        """Checks that every shard is there, with as many bytes as it should have.

        Args:
          data_dir: the folder, for the message.
          size_of: the bytes of a file of the folder; an OSError or KeyError where there is none.

        Raises:
          UserError: a shard is missing, or of another size.
        """
        for shard in self.shards:
            path = os.path.join(data_dir, shard.name)
            try:
                size = size_of(shard.name)
            except (OSError, KeyError):
                raise UserError(
                    "%s is missing; copy the data again, or convert it again with --overwrite"
                    % path
                ) from None
            if size != shard.bytes:
                raise UserError(
                    "%s has %d bytes where its manifest says %d; copy the data again, or convert "
                    "it again with --overwrite" % (path, size, shard.bytes)
                )

    @classmethod
    def load_alone(cls, data_dir: str) -> "Manifest":
        """As `load`, without a look at the shards."""
        path = os.path.join(data_dir, FILE_NAME)
        missing = "%s has no %s; name a folder that data_tools/to_tfrecord.py wrote"
        return cls.from_dict(files.read_json(path, missing % (data_dir, FILE_NAME)), path)

    @classmethod
    def from_dict(cls, values: Any, source: str = "the manifest") -> "Manifest":
        """A manifest of parsed JSON; `source` names the file in messages.

        Raises:
          UserError: a field is missing or of the wrong type, the version is newer, or the counts
            contradict each other.
        """
        if not isinstance(values, dict) or not isinstance(values.get("format_version"), int):
            raise UserError("%s does not hold a manifest" % source)
        if not 1 <= values["format_version"] <= FORMAT_VERSION:
            raise UserError(
                "%s is of format version %d, this program reads versions up to %d; convert the "
                "data again, or use the program that wrote it"
                % (source, values["format_version"], FORMAT_VERSION)
            )
        try:
            shards = tuple(
                _build(Shard, dict(shard, sizes=_each_once(shard.get("sizes", ()))))
                for shard in values["shards"]
            )
            scales = tuple(values["scales"])
            manifest = _build(cls, dict(values, shards=shards, scales=scales))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UserError("%s is damaged: %s" % (source, error)) from None
        problem = manifest._contradiction()
        if problem:
            raise UserError("%s is damaged: %s" % (source, problem))
        return manifest

    def _contradiction(self) -> Optional[str]:
        held = sum(shard.records for shard in self.shards)
        if held != self.records:
            return "it counts %d records, its shards hold %d" % (self.records, held)
        if self.kind not in KINDS or self.split not in SPLITS or self.encoding not in ENCODINGS:
            return "unknown kind, split or encoding"
        if not self.scales or not all(type(s) is int and s > 1 for s in self.scales):
            return "its scales are %s" % (self.scales,)
        for shard in self.shards:
            # A name from a foreign manifest must not lead out of the folder.
            if os.path.basename(shard.name) != shard.name or shard.name in ("", ".", ".."):
                return "a shard is called %r" % shard.name
        return self._wrong_sizes() if self.format_version > 1 else None

    def _wrong_sizes(self) -> Optional[str]:
        """What contradicts the sizes of the pictures, from which the tiles are computed."""
        # There may be millions of pictures, and few sizes.
        counts = [collections.Counter(shard.sizes) for shard in self.shards]
        for size in itertools.chain(*counts):
            if not _SIZE.fullmatch(size):
                return "a picture measures %r" % (size,)
        told = sum(len(shard.sizes) for shard in self.shards)
        if told != self.pictures:
            return "it counts %d pictures, and tells the sizes of %d" % (self.pictures, told)
        if self.kind == "training":
            multiple = tiles.common_multiple(self.scales)
            overlap = tiles.least_overlap(self.patch_size, self.scales)
            if self.patch_size < 1 or self.overlap != overlap:
                return "its tiles overlap by %d" % self.overlap
            if self.tile_size <= overlap or self.tile_size % multiple:
                return "its tiles measure %d" % self.tile_size
        records = {size: self._records_of(parsed_size(size)) for size in itertools.chain(*counts)}
        for shard, count in zip(self.shards, counts):
            expected = sum(number * records[size] for size, number in count.items())
            if expected != shard.records:
                return "%s holds %d records, its pictures give %d" % (
                    shard.name,
                    shard.records,
                    expected,
                )
        return None

    def _records_of(self, size: Tuple[int, int]) -> int:
        """How many records a picture gives; 0 where it cannot hold a patch."""
        if self.kind == "evaluation":
            return 1
        multiple = tiles.common_multiple(self.scales)
        sides = [side // multiple * multiple for side in size]
        if min(sides) < self.patch_size * max(self.scales):
            return 0
        counts = [tiles.tiles_along(s, self.tile_size, self.overlap, multiple)[0] for s in sides]
        return counts[0] * counts[1]


def parsed_size(size: str) -> Tuple[int, int]:
    """Height and width of "WIDTHxHEIGHT"."""
    width, height = size.split("x")
    return int(height), int(width)


def _each_once(sizes: Iterable[Any]) -> Tuple[str, ...]:
    """The same sizes, equal texts being one in memory.

    Raises:
      ValueError: one is no text.
    """
    known: Dict[str, str] = {}
    for size in sizes:
        if not isinstance(size, str):
            raise ValueError("a picture measures %r" % (size,))
    return tuple(known.setdefault(size, size) for size in sizes)


def name_of_folder(path: str) -> str:
    """What a set in the folder `path` is called: set5 in tfrecords/set5, and in Set5/HR, Set5."""
    folder, name = os.path.split(os.path.abspath(path))
    return os.path.basename(folder) or name if name.lower() in _UNTELLING else name


def _build(cls, values: Dict[str, Any]):
    """An instance of dataclass `cls`, every value of the type that its field declares."""
    fields = {field.name: field for field in dataclasses.fields(cls)}
    unknown = sorted(set(values) - set(fields))
    if unknown:
        raise ValueError("unknown field %s" % unknown[0])
    for name, field in fields.items():
        if name not in values and field.default is dataclasses.MISSING:
            raise ValueError("no field %s" % name)
        plain = field.type if field.type in (int, str) else tuple
        value = values.get(name, field.default)
        if type(value) is not plain or (plain is int and value < 0):
            raise ValueError("%s cannot be %r" % (name, value))
    return cls(**values)


def _listed(values: Iterable[Any]) -> str:
    return ",".join(str(value) for value in sorted(values))
