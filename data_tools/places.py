"""Which file system a path is on."""

import re

from data_tools.storage import Storage

_SCHEME = re.compile(r"[a-zA-Z][-a-zA-Z0-9+.]*://")


def is_remote(path: str) -> bool:
    """Whether a path names another file system, as gs://bucket/folder does."""
    return bool(path and _SCHEME.match(path))


def storage_of(folder: str) -> Storage:
    """What reads and writes in `folder`, and in nothing else.

    Raises:
      UserError: it is on another file system, and Apache Beam is not installed.
    """
    if is_remote(folder):
        # Beam takes two seconds to import.
        from data_tools.beam_storage import BeamStorage

        return BeamStorage(folder)
    return Storage(folder)
