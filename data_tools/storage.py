"""Where shards are written and read; here, the file system of this machine."""

import contextlib
import glob
import os
from typing import Any, Dict, Iterator, Tuple

import google_crc32c

from bsrn_estimator import files


class Storage:
    """The files of one folder of this machine, by their names in it.

    A file is written whole or not at all. Errors are OSErrors.
    """

    # Objects of a bucket are as they were written; a file may have lost its end in a power cut.
    reads_back = True

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def path(self, name: str) -> str:
        """The whole path of a file."""
        return os.path.join(self.folder, name)

    def make(self) -> None:
        """Makes the folder, and those above it, where they are missing."""
        os.makedirs(self.folder, exist_ok=True)

    def sizes(self, pattern: str = "*") -> Dict[str, int]:
        """The names that match, in any order, and the bytes of each; none where no folder is."""
        paths = glob.glob(os.path.join(glob.escape(self.folder), pattern))
        return {os.path.basename(p): os.path.getsize(p) for p in paths if os.path.isfile(p)}

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return os.path.exists(self.path(name))

    def read(self, name: str, offset: int = 0, length: int = -1) -> bytes:
        """The bytes of a file, or `length` of them from `offset` on."""
        with open(self.path(name), "rb") as file:
            file.seek(offset)
            return file.read(length)

    def write(self, name: str, content: bytes) -> None:
        """Writes a file."""
        with files.written_whole(self.path(name), "wb") as file:
            file.write(content)

    def rename(self, name: str, new: str) -> None:
        """Gives a file another name, in the place of what has that name."""
        os.replace(self.path(name), self.path(new))

    def remove(self, name: str) -> None:
        """Removes a file, where there is one."""
        files.remove(self.path(name))

    def is_whole(self, name: str, size: int, crc32c: int) -> bool:
        """Whether there is a file, as it was written."""
        return self.exists(name) and file_crc(self.path(name)) == (size, crc32c)

    @contextlib.contextmanager
    def workplace(self) -> Iterator[str]:
        """A folder of this machine in which a large file is written before it is put here."""
        yield self.folder

    def put(self, path: str, name: str) -> None:
        """Moves a file of the `workplace` here."""
        if path != self.path(name):
            os.replace(path, self.path(name))

    @contextlib.contextmanager
    def local(self, name: str) -> Iterator[str]:
        """The path of a file, or of a copy, on this machine."""
        yield self.path(name)

    def open_lock(self, name: str) -> Any:
        """An open file, which is held against other processes by `fcntl.flock`; None without."""
        return open(self.path(name), "a+", encoding="utf-8", errors="replace")


def file_crc(path: str) -> Tuple[int, int]:
    """Size and CRC-32C of a file of this machine."""
    size = crc = 0
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            size += len(block)
            crc = google_crc32c.extend(crc, block)
    return size, crc
