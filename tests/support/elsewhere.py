"""A file system of Apache Beam for tests: elsewhere:///folder is /folder of this machine."""

import os
import time

from apache_beam.io.filesystem import BeamIOError, FileMetadata
from apache_beam.io.localfilesystem import LocalFileSystem

SCHEME = "elsewhere"
PREFIX = SCHEME + "://"


def _inside(path: str) -> str:
    assert path.startswith(PREFIX), path
    return path[len(PREFIX) :]


class Elsewhere(LocalFileSystem):
    """Paths with a scheme, no links, files that do not take the place of another by a rename."""

    @classmethod
    def scheme(cls):
        return SCHEME

    def join(self, basepath, *paths):
        return "/".join([basepath.rstrip("/")] + list(paths))

    def split(self, path):
        return tuple(path.rsplit("/", 1))

    def mkdirs(self, path):
        LocalFileSystem(None).mkdirs(_inside(path))

    def _list(self, dir_or_prefix):
        for found in LocalFileSystem(None)._list(_inside(dir_or_prefix)):
            yield FileMetadata(
                PREFIX + found.path, found.size_in_bytes, found.last_updated_in_seconds
            )

    def _url_dirname(self, url_or_path):
        return url_or_path.rsplit("/", 1)[0]

    def create(self, path, *arguments, **options):
        return LocalFileSystem(None).create(_inside(path), *arguments, **options)

    def open(self, path, *arguments, **options):
        # As far away as a test wants it.
        time.sleep(float(os.environ.get("ELSEWHERE_SECONDS", "0")))
        return LocalFileSystem(None).open(_inside(path), *arguments, **options)

    def rename(self, source_file_names, destination_file_names):
        for path in destination_file_names:
            if self.exists(path):
                raise BeamIOError("Rename operation failed", {path: OSError("it is there")})
        LocalFileSystem(None).rename(
            [_inside(path) for path in source_file_names],
            [_inside(path) for path in destination_file_names],
        )

    def exists(self, path):
        return LocalFileSystem(None).exists(_inside(path))

    def delete(self, paths):
        LocalFileSystem(None).delete([_inside(path) for path in paths])

    def size(self, path):
        return LocalFileSystem(None).size(_inside(path))

    def last_updated(self, path):
        return LocalFileSystem(None).last_updated(_inside(path))

    def metadata(self, path):
        return FileMetadata(path, self.size(path), self.last_updated(path))
