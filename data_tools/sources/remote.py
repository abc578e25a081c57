"""Pictures on file systems that Apache Beam knows."""

import dataclasses
import os
from typing import Dict, Tuple

from bsrn_estimator.errors import UserError, printable
from bsrn_estimator.pictures.files import Listing, listed
from data_tools import beam_storage
from data_tools.sources.picture import Stored
from data_tools.sources.search import Search


@dataclasses.dataclass(frozen=True)
class RemoteFile(Stored):
    """A picture in a file of its own on another file system, as a listing of it says.

    Attributes:
      path: with its scheme.
      size: in bytes.
      modified: when, in seconds since 1970; 0 where the file system does not tell.
    """

    path: str
    size: int
    modified: float

    @property
    def label(self) -> str:
        return printable(self.path)

    def content(self) -> bytes:
        try:
            return beam_storage.read_file(self.path)
        except OSError as error:
            raise UserError("%s cannot be opened: %s" % (self.label, error.strerror)) from None

    def identity(self) -> Tuple:
        # Asking for each anew would take an hour for some hundred thousand.
        return self.path, self.size, self.modified


class RemoteSearch(Search):
    """Looks for pictures where there are no links, and folders are parts of names."""

    def __init__(self) -> None:
        self._files: Dict[str, RemoteFile] = {}

    def is_folder(self, path: str) -> bool:
        try:
            return bool(self._below(path))
        except OSError as error:
            message = "%s cannot be listed: %s" % (printable(path), error.strerror)
            raise UserError(message) from None

    def pictures_in(self, folder: str, follow_links: bool) -> Listing:
        self.require_folder(folder)
        return listed(self._below(folder))

    def stored(self, path: str) -> Stored:
        return self._files[path]

    def leads_out(self, path: str, root: str) -> bool:
        return False

    def _below(self, folder: str) -> Dict[str, RemoteFile]:
        """All files below a folder, by their paths relative to it."""
        prefix = os.path.join(folder, "")
        known = {p[len(prefix) :]: f for p, f in self._files.items() if p.startswith(prefix)}
        if known:
            return known
        for found in beam_storage.matching(prefix + "**"):
            modified = found.last_updated_in_seconds or 0
            self._files[found.path] = RemoteFile(found.path, found.size_in_bytes, modified)
            known[found.path[len(prefix) :]] = self._files[found.path]
        return known
