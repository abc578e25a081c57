"""The output folder while it is being written: shards set aside, and what is said of each.

    journal.incomplete                one line of JSON: the settings
    train-00000.tfrecord.incomplete   a shard; how many there will be is not known before the end
    train-00000.json.incomplete       its `Entry`, written when it is whole

A killed conversion makes no shard again whose entry is there, if its checksum and the files of its
pictures are still the same. At the end the shards get their final names, then the manifest is
written, then the rest goes.
"""

import contextlib
import dataclasses
import errno
import fcntl
import hashlib
import json
import os
import re
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

from bsrn_estimator import files
from bsrn_estimator.data.manifest import FILE_NAME, Manifest, Shard
from bsrn_estimator.data.tfrecord import shard_name
from bsrn_estimator.errors import UserError, printable
from data_tools.places import is_remote, storage_of
from data_tools.sources import SourcePicture

JOURNAL = "journal.incomplete"
# What workers of Beam are to do; see `on_beam`.
PLAN = "plan.incomplete"
_SHARDS = "*.tfrecord"
_ENTRY = ".json"
_FINAL_NAME = re.compile(r"-\d{5}-of-\d{5}\.tfrecord$")
_ENTRY_NAME = re.compile(r"-(\d{5,})(?:-[0-9a-f]+)?%s$" % re.escape(files.aside(_ENTRY)))


@dataclasses.dataclass(frozen=True)
class Entry:
    """One whole shard.

    Attributes:
      records, bytes, crc32c, sizes: as in the manifest; no records where all pictures are bad.
      inputs: digest of the pictures that it covers.
      skipped: name of each bad picture among them, and what is wrong with it.
      file: its name while it is aside.
    """

    records: int
    bytes: int
    crc32c: int
    inputs: str
    skipped: Tuple[Tuple[str, str], ...]
    sizes: Tuple[str, ...]
    file: str


class Output:
    """The shards of one conversion, from the first byte to the manifest.

    Use it as a context manager: it holds the folder against a second conversion, where its file
    system has locks.

    Attributes:
      folder: the folder.
      storage: its files.
      split: the first part of the shards' names.
      entries: the whole shards, by their numbers.
    """

    def __init__(self, folder: str, split: str, settings: Dict[str, Any]) -> None:
        self.folder = folder
        self.storage = storage_of(folder)
        self.split = split
        self.entries: Dict[int, Entry] = {}
        self._settings = json.dumps(settings) + "\n"
        try:
            self.storage.make()
            self._lock = self.storage.open_lock(JOURNAL)
        except OSError as error:
            raise UserError(
                "%s cannot be written: %s" % (printable(folder), error.strerror)
            ) from None
        try:
            if self._lock:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise UserError(
                "another conversion is writing to %s; wait for it, or name another --output_dir"
                % printable(folder)
            ) from None

    def resume(self, groups: Sequence[Sequence[SourcePicture]]) -> None:
        """Takes over the whole shards of an earlier run as far as nothing has changed.

        Args:
          groups: the pictures of each shard.
        """
        if self._journal() == self._settings:
            self.collect(groups)
        else:
            self._write_journal()
        self._remove_others()

    def collect(self, groups: Sequence[Sequence[SourcePicture]]) -> None:
        """Fills `entries` from what is in the folder."""
        found = self._entries_in_folder()
        # The final names are only given when no shard is missing.
        total = sum(bool(entry.records) for entry in found.values())
        position = 0
        self.entries = {}
        for number, group in enumerate(groups):
            entry = found.get(number)
            if entry is None:
                continue
            names = [entry.file, shard_name(self.split, position, total)]
            position += bool(entry.records)
            if _same(entry.inputs, group) and self._is_whole(entry, names):
                self.entries[number] = entry

    def add(self, number: int, entry: Entry) -> None:
        """Writes down that a shard is whole."""
        self.storage.write(entry_name(entry.file), json.dumps(dataclasses.asdict(entry)).encode())
        self.entries[number] = entry

    def covers(self, groups: Sequence[Sequence[SourcePicture]]) -> int:
        """How many pictures the whole shards cover."""
        return sum(len(groups[number]) for number in self.entries)

    def publish(self, manifest: Manifest) -> Manifest:
        """Gives the shards their names, removes what was there before, writes the manifest.

        Args:
          manifest: everything but the shards.
        """
        held = [entry for _, entry in sorted(self.entries.items()) if entry.records]
        self.storage.remove(FILE_NAME)
        shards = []
        for number, entry in enumerate(held):
            name = shard_name(self.split, number, len(held))
            if self.storage.exists(entry.file):
                self.storage.rename(entry.file, name)
            shards.append(Shard(name, entry.records, entry.bytes, entry.crc32c, entry.sizes))
        for name in shards_in(self.folder) - {shard.name for shard in shards}:
            self.storage.remove(name)
        manifest = dataclasses.replace(manifest, shards=tuple(shards))
        self.storage.write(FILE_NAME, files.json_bytes(manifest.to_dict()))
        for name in self._entry_names():
            self.storage.remove(name)
        self.storage.remove(JOURNAL)
        return manifest

    def __enter__(self) -> "Output":
        return self

    def __exit__(self, *unused) -> None:
        if self._lock:
            with contextlib.suppress(OSError):  # a full disk refuses the rest of the buffer
                self._lock.close()

    def _journal(self) -> Optional[str]:
        try:
            return self.storage.read(JOURNAL).decode("utf-8", "replace")
        except FileNotFoundError:
            return None

    def _write_journal(self) -> None:
        """In place where it is locked, for another file would not be."""
        if not self._lock:
            self.storage.write(JOURNAL, self._settings.encode())
            return
        self._lock.seek(0)
        self._lock.truncate()
        self._lock.write(self._settings)
        self._lock.flush()

    def _entry_names(self) -> List[str]:
        """The names of all entries, sorted, and of what only looks like one."""
        return sorted(self.storage.sizes(files.aside("*" + _ENTRY)))

    def _entries_in_folder(self) -> Dict[int, Entry]:
        """The entries that can be read; of several of a shard, which are alike, one."""
        found: Dict[int, Entry] = {}
        for name in self._entry_names():
            match = _ENTRY_NAME.search(name)
            entry = match and _parsed(self.storage.read(name))
            if entry and entry.file == name.replace(files.aside(_ENTRY), files.aside(".tfrecord")):
                found.setdefault(int(match.group(1)), entry)
        return found

    def _is_whole(self, entry: Entry, names: List[str]) -> bool:
        if not entry.records:
            return True
        return any(self.storage.is_whole(name, entry.bytes, entry.crc32c) for name in names)

    def _remove_others(self) -> None:
        """Removes what is aside, but for the shards that are taken over."""
        self.storage.remove(PLAN)
        kept = {entry.file for entry in self.entries.values()}
        kept |= {entry_name(name) for name in kept}
        for pattern in (_SHARDS, "*" + _ENTRY):
            for name in set(self.storage.sizes(files.aside(pattern))) - kept:
                self.storage.remove(name)


def aside_name(split: str, number: int, attempt: str = "") -> str:
    """What a shard is called until all are there.

    Args:
      split: the first part of its name.
      number: from 0.
      attempt: hexadecimal, where several processes may write the shard at a time.
    """
    return "%s-%05d%s.tfrecord" % (split, number, attempt and "-" + attempt)


def entry_name(file: str) -> str:
    """What the entry of a shard is called that is called `file` while it is aside."""
    return file.replace(".tfrecord", _ENTRY)


def digest(pictures: Sequence[SourcePicture]) -> str:
    """Changes when a name or a file of the pictures does."""
    text = json.dumps([picture.identity() for picture in pictures])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def shards_in(folder: str) -> Set[str]:
    """Names of the files in `folder` that are named as finished shards are."""
    return set(filter(_FINAL_NAME.search, storage_of(folder).sizes(_SHARDS)))


def load_manifest(folder: str) -> Manifest:
    """As `Manifest.load`, of a folder on any file system."""
    if not is_remote(folder):
        return Manifest.load(folder)
    path, storage = os.path.join(folder, FILE_NAME), storage_of(folder)
    try:
        manifest = Manifest.from_dict(json.loads(storage.read(FILE_NAME).decode("utf-8")), path)
        manifest.check_sizes(folder, storage.sizes(_SHARDS).__getitem__)
    except FileNotFoundError:
        message = "%s has no %s; name a folder that data_tools/to_tfrecord.py wrote"
        raise UserError(message % (printable(folder), FILE_NAME)) from None
    except (OSError, ValueError, RecursionError) as error:
        raise UserError("%s cannot be read: %s" % (printable(path), error)) from None
    return manifest


def _same(inputs: str, pictures: Sequence[SourcePicture]) -> bool:
    try:
        return inputs == digest(pictures)
    except OSError:
        return False


def _parsed(content: bytes) -> Optional[Entry]:
    """The entry in a file that anybody may have written; None where it is none."""
    try:
        values = json.loads(content.decode("utf-8"))
        skipped = tuple((str(name), str(problem)) for name, problem in values["skipped"])
        entry = Entry(**dict(values, skipped=skipped, sizes=tuple(map(str, values["sizes"]))))
        numbers = entry.records, entry.bytes, entry.crc32c
        texts = entry.inputs, entry.file
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    whole = all(type(number) is int and number >= 0 for number in numbers)
    return entry if whole and all(type(text) is str for text in texts) else None
