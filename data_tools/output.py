"""The output folder while it is being written: shards set aside, and a journal of the whole ones.

    train-00000.tfrecord.incomplete   a shard; its number of shards is not known before the end
    journal.incomplete                one line of JSON for the settings, then one for each shard
                                      that is whole, then one when the final names are given

A killed conversion continues behind the last shard that the journal knows, if the shard's checksum
and the files of its pictures are still the same. At the end the shards get their final names, then
the manifest is written, then the journal goes.
"""

import dataclasses
import errno
import fcntl
import glob
import hashlib
import json
import os
import re
from typing import Any, Dict, List, Optional, Sequence, Tuple

import google_crc32c

from bsrn_estimator import files
from bsrn_estimator.data.manifest import Manifest, Shard
from bsrn_estimator.data.tfrecord import ShardWriter, shard_name
from bsrn_estimator.errors import UserError, printable
from data_tools.sources import SourcePicture

JOURNAL = "journal.incomplete"
_FINAL_NAME = re.compile(r"-\d{5}-of-\d{5}\.tfrecord$")


@dataclasses.dataclass(frozen=True)
class Entry:
    """One whole shard, as the journal describes it.

    Attributes:
      records, bytes, crc32c, sizes: as in the manifest.
      end: how many pictures of the input it and the shards before it cover.
      inputs: digest of the pictures that it alone covers.
      skipped: name of each bad picture among them, and what is wrong with it.
    """

    records: int
    bytes: int
    crc32c: int
    end: int
    inputs: str
    skipped: Tuple[Tuple[str, str], ...]
    sizes: Tuple[str, ...]


class Output:
    """The shards of one conversion, from the first byte to the manifest.

    Use it as a context manager: it holds the folder against a second conversion, and discards the
    unfinished shard on the way out.

    Attributes:
      entries: the whole shards.
    """

    def __init__(self, folder: str, split: str, settings: Dict[str, Any]) -> None:
        self.folder = folder
        self.entries: List[Entry] = []
        self._split = split
        self._settings = settings
        self._total: Optional[int] = None
        self._writer: Optional[ShardWriter] = None
        self._sizes: List[str] = []
        try:
            os.makedirs(folder, exist_ok=True)
            self._journal = open(
                os.path.join(folder, JOURNAL), "a+", encoding="utf-8", errors="replace"
            )
        except OSError as error:
            raise UserError(
                "%s cannot be written: %s" % (printable(folder), error.strerror)
            ) from None
        try:
            fcntl.flock(self._journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._journal.close()
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise UserError(
                "another conversion is writing to %s; wait for it, or name another --output_dir"
                % printable(folder)
            ) from None

    @property
    def pictures_done(self) -> int:
        """How many pictures of the input the whole shards cover."""
        return self.entries[-1].end if self.entries else 0

    def resume(self, pictures: Sequence[SourcePicture]) -> None:
        """Takes over the whole shards of an earlier run as far as nothing has changed."""
        self._journal.seek(0)
        lines = _parsed(self._journal)
        if lines and lines[0] == self._settings:
            self._total = next((line["total"] for line in lines if "total" in line), None)
            for line in lines[1:]:
                if not self._take_over(line, pictures):
                    break
        self._journal.seek(0)
        self._journal.truncate()
        self._write_line(self._settings)
        for entry in self.entries:
            self._write_line(dataclasses.asdict(entry))
        kept = {files.aside(self._aside(number)) for number in range(len(self.entries))}
        for path in glob.glob(os.path.join(glob.escape(self.folder), "*.tfrecord.incomplete")):
            if path not in kept:
                os.remove(path)

    def open_shard(self) -> ShardWriter:
        """The shard that is being written; a new one where there is none."""
        if self._writer is None:
            self._writer = ShardWriter(self._aside(len(self.entries)))
            self._sizes = []
        return self._writer

    def write(self, frames: bytes, records: int, size: str) -> None:
        """Appends the framed records of a picture of "WIDTHxHEIGHT" to the open shard."""
        self.open_shard().write_framed(frames, records)
        self._sizes.append(size)

    def close_shard(self, pictures: Sequence[SourcePicture], end: int, skipped) -> None:
        """Completes the shard, which covers all pictures up to `end` that no other one covers."""
        shard = self._writer.finish(rename=False)
        self._writer = None
        inputs = _digest(pictures[self.pictures_done : end])
        counts = shard.records, shard.bytes, shard.crc32c
        entry = Entry(*counts, end, inputs, tuple(skipped), tuple(self._sizes))
        self._write_line(dataclasses.asdict(entry))
        self.entries.append(entry)

    def publish(self, manifest: Manifest) -> Manifest:
        """Gives the shards their names, removes what was there before, writes the manifest.

        Args:
          manifest: everything but the shards.
        """
        total = len(self.entries)
        self._write_line({"total": total})
        manifest_path = os.path.join(self.folder, "manifest.json")
        if os.path.exists(manifest_path):
            os.remove(manifest_path)
        shards = []
        for number, entry in enumerate(self.entries):
            name = shard_name(self._split, number, total)
            aside = files.aside(self._aside(number))
            if os.path.exists(aside):
                os.replace(aside, os.path.join(self.folder, name))
            shards.append(Shard(name, entry.records, entry.bytes, entry.crc32c, entry.sizes))
        for name in set(shards_in(self.folder)) - {shard.name for shard in shards}:
            os.remove(os.path.join(self.folder, name))
        manifest = dataclasses.replace(manifest, shards=tuple(shards))
        manifest.save(self.folder)
        os.remove(os.path.join(self.folder, JOURNAL))
        return manifest

    def __enter__(self) -> "Output":
        return self

    def __exit__(self, *unused) -> None:
        if self._writer is not None:
            self._writer.discard()
        try:
            self._journal.close()
        except OSError:  # a full disk refuses the rest of the buffer
            pass

    def _take_over(self, line: Dict[str, Any], pictures: Sequence[SourcePicture]) -> bool:
        try:
            skipped = tuple((str(name), str(problem)) for name, problem in line["skipped"])
            sizes = tuple(map(str, line["sizes"]))
            entry = Entry(**dict(line, skipped=skipped, sizes=sizes))
            same = entry.inputs == _digest(pictures[self.pictures_done : entry.end])
        except (KeyError, TypeError, ValueError, OSError):
            return False
        paths = [files.aside(self._aside(len(self.entries)))]
        if self._total:
            name = shard_name(self._split, len(self.entries), self._total)
            paths.append(os.path.join(self.folder, name))
        path = next((path for path in paths if os.path.exists(path)), None)
        whole = path is not None and file_crc(path) == (entry.bytes, entry.crc32c)
        if same and whole and self.pictures_done < entry.end <= len(pictures):
            self.entries.append(entry)
            return True
        return False

    def _aside(self, number: int) -> str:
        return os.path.join(self.folder, "%s-%05d.tfrecord" % (self._split, number))

    def _write_line(self, values: Dict[str, Any]) -> None:
        self._journal.write(json.dumps(values) + "\n")
        self._journal.flush()
        os.fsync(self._journal.fileno())


def shards_in(folder: str) -> List[str]:
    """Names of the files in `folder` that are named as finished shards are."""
    if not os.path.isdir(folder):
        return []
    return [name for name in os.listdir(folder) if _FINAL_NAME.search(name)]


def file_crc(path: str) -> Tuple[int, int]:
    """Size and CRC-32C of a file."""
    size = crc = 0
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            size += len(block)
            crc = google_crc32c.extend(crc, block)
    return size, crc


def _parsed(lines) -> List[Dict[str, Any]]:
    """The lines of a journal up to the first one that a kill has cut short."""
    parsed = []
    for line in lines:
        try:
            values = json.loads(line)
        except (ValueError, RecursionError):
            break
        if not isinstance(values, dict):
            break
        parsed.append(values)
    return parsed


def _digest(pictures: Sequence[SourcePicture]) -> str:
    text = json.dumps([picture.identity() for picture in pictures])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
