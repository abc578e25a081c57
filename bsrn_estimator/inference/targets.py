"""Where the results of a picture go, what they depend on, and which are there already."""

import os
import unicodedata
import zlib
from typing import Any, Dict, List, NamedTuple, Sequence, Tuple

from bsrn_estimator.checkpoints.usable import TENSORFLOW, UsableNetwork
from bsrn_estimator.errors import UserError, printable
from bsrn_estimator.inference.options import PredictOptions
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.pictures import names, results
from bsrn_estimator.pictures.decoding import read_rgb
from bsrn_estimator.pictures.files import PictureFile

BICUBIC = "bicubic"

# Changes whenever the same picture and settings come to give another result.
_VERSION = 2


class Target(NamedTuple):
    """One result file.

    Attributes:
      kind: a name of the upscaler's outputs, or "bicubic".
      path: the file.
      record: all that it depends on.
    """

    kind: str
    path: str
    record: Dict[str, Any]


class Source(NamedTuple):
    """A picture and what its results' records hold of it."""

    file: PictureFile
    size: Tuple[int, int]
    crc32: int

    @property
    def name(self) -> str:
        """The name of its file, in Unicode's composed form."""
        return unicodedata.normalize("NFC", os.path.basename(self.file.path))


class Targets:
    """The result files of a command.

    Args:
      options: what is asked for.
      files: all pictures of the command.
      network: what makes them, with its weights.
      upscaler: what makes the results.
    """

    def __init__(
        self,
        options: PredictOptions,
        files: Sequence[PictureFile],
        network: UsableNetwork,
        upscaler: Upscaler,
    ) -> None:
        self._options, self._upscaler = options, upscaler
        self._network = {"network": network.identity(), "precision": network.precision}
        if network.engine != TENSORFLOW:  # whose records are older than the choice
            self._network["engine"] = network.engine
        self.form = results.ResultFormat(options.output_format, options.quality, options.level)
        relatives = [file.relative for file in files]
        self._names = dict(zip(relatives, names.result_names(relatives, self.form.ending)))

    def of(self, source: Source, scale: int) -> List[Target]:
        """Every file that is to be written for one picture and scale; the main result first."""
        kinds = list(self._upscaler.names) + [BICUBIC] * self._options.compare
        folders = ["x%d" % scale] + ["x%d_%s" % (scale, name) for name in kinds[1:]]
        root = self._options.output_dir
        name = self._name(source, os.path.join(root, folders[0]))
        return [
            Target(kind, os.path.join(root, folder, name), self._record(source, scale, kind))
            for kind, folder in zip(kinds, folders)
        ]

    def _name(self, source: Source, folder: str) -> str:
        """The name of a result; a longer one where an earlier command gave it to another."""
        name = self._names[source.file.relative]
        record = results.record_of(os.path.join(folder, name))
        if record and record.get("source", source.name) != source.name:
            return names.long_name(source.file.relative, self.form.ending)
        return name

    def _record(self, source: Source, scale: int, kind: str) -> Dict[str, Any]:
        record = {
            "version": _VERSION,
            "source": source.name,
            "source_crc32": source.crc32,
            "scale": scale,
            "kind": kind,
            "quality": self.form.quality,
        }
        if kind != BICUBIC:
            record.update(
                self._network,
                first_output=self._options.first_output,
                self_ensemble=self._options.self_ensemble,
                tiles=self._upscaler.layout(source.size[0], source.size[1], scale),
            )
        return record

    def is_finished(self, target: Target) -> bool:
        """Whether the result is there, whole, and made of the same.

        Raises:
          UserError: what is there is not ours to replace.
        """
        if self._options.overwrite or not os.path.lexists(target.path):
            return False
        record = results.record_of(target.path)
        problem = None
        if record is None:
            problem = "exists and was not made by this command"
        elif record.get("source", target.record["source"]) != target.record["source"]:
            problem = "is the result of another picture, %s" % printable(str(record["source"]))
        # Records of the first version have no source and no checksum beside them.
        elif "source" in record:
            if results.is_whole(target.path):
                return record == target.record
            if _decodes(target.path):
                problem = "was changed since this command made it"
        if problem:
            raise UserError(
                "%s %s; move it, add --overwrite, or name another --output_dir"
                % (printable(target.path), problem)
            )
        return False


def _decodes(path: str) -> bool:
    """Whether a picture is whole by its own lights; one that was cut short is not."""
    try:
        if results.is_cut_short(path):
            return False
        read_rgb(path, max_pixels=2**62)
        return True
    except (UserError, OSError):
        return False


def crc32(path: str) -> int:
    """CRC of a picture file's content.

    Raises:
      UserError: it cannot be read.
    """
    value = 0
    try:
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(2**20), b""):
                value = zlib.crc32(block, value)
    except OSError as error:
        raise UserError("%s cannot be read: %s" % (printable(path), error.strerror)) from None
    return value & 0xFFFFFFFF
