"""Folders on file systems that Apache Beam knows: gs://, s3://, hdfs://, and what is registered.

An object is there at once and whole, or not at all; so what is large is written on this machine
first, and then copied.
"""

import contextlib
import importlib
import logging
import os
import shutil
import tempfile
from typing import Any, Dict, Iterator, List, Sequence

from bsrn_estimator.errors import UserError, install_command, printable
from data_tools.storage import Storage

_DISABLED = logging.root.manager.disable
try:
    logging.disable(logging.WARNING)  # of services that are not asked for
    from apache_beam.io.filesystem import BeamIOError, CompressionTypes, FileMetadata
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.options.pipeline_options import PipelineOptions, SetupOptions
except ImportError as error:
    raise UserError(
        "--runner, and folders on other file systems, need the package apache-beam (%s); get it "
        "with %s" % (error, install_command("beam"))
    ) from None
finally:
    logging.disable(_DISABLED)

# As it is: by default a name that ends in .gz would be unpacked.
_PLAIN = CompressionTypes.UNCOMPRESSED
_BLOCK = 1 << 22


def use_options(arguments: Sequence[str]) -> None:
    """Lets the file systems have the options of --beam_options, as --hdfs_host.

    Raises:
      UserError: a module of --beam_plugins, which brings a file system of its own, is not there.
    """
    options = PipelineOptions(list(arguments))
    for plugin in options.view_as(SetupOptions).beam_plugins or []:
        try:
            importlib.import_module(plugin.rpartition(".")[0])
        except (ImportError, ValueError) as error:
            message = "--beam_options=--beam_plugins=%s cannot be imported: %s"
            raise UserError(message % (plugin, error)) from None
    FileSystems.set_options(options)


class BeamStorage(Storage):
    """The files of one folder, or of what an object store calls a prefix."""

    reads_back = False

    def path(self, name: str) -> str:
        return self.folder.rstrip("/") + "/" + name

    def make(self) -> None:
        with _os_errors(self.folder):
            # Object stores have no folders, and say so in several ways.
            with contextlib.suppress(BeamIOError, NotImplementedError, OSError):
                FileSystems.mkdirs(self.folder)

    def sizes(self, pattern: str = "*") -> Dict[str, int]:
        found = matching(self.path(pattern))
        return {metadata.path.rsplit("/", 1)[1]: metadata.size_in_bytes for metadata in found}

    def exists(self, name: str) -> bool:
        with _os_errors(self.path(name)):
            return FileSystems.exists(self.path(name))

    def read(self, name: str, offset: int = 0, length: int = -1) -> bytes:
        with _os_errors(self.path(name)), _opened(self.path(name)) as file:
            file.seek(offset)
            return file.read() if length < 0 else _read_whole(file, length)

    def write(self, name: str, content: bytes) -> None:
        with _os_errors(self.path(name)):
            with FileSystems.create(self.path(name), compression_type=_PLAIN) as file:
                file.write(content)

    def rename(self, name: str, new: str) -> None:
        with _os_errors(self.path(new)):
            if FileSystems.exists(self.path(new)):  # some refuse to write over it
                FileSystems.delete([self.path(new)])
            FileSystems.rename([self.path(name)], [self.path(new)])

    def remove(self, name: str) -> None:
        with _os_errors(self.path(name)):
            if FileSystems.exists(self.path(name)):
                FileSystems.delete([self.path(name)])

    def is_whole(self, name: str, size: int, crc32c: int) -> bool:
        return self.sizes(name).get(name) == size

    @contextlib.contextmanager
    def workplace(self) -> Iterator[str]:
        with tempfile.TemporaryDirectory(prefix="bsrn-") as folder:
            yield folder

    def put(self, path: str, name: str) -> None:
        with _os_errors(self.path(name)), open(path, "rb") as source:
            with FileSystems.create(self.path(name), compression_type=_PLAIN) as file:
                shutil.copyfileobj(source, file, _BLOCK)
        os.unlink(path)

    @contextlib.contextmanager
    def local(self, name: str) -> Iterator[str]:
        with self.workplace() as folder:
            path = os.path.join(folder, name)
            with _os_errors(self.path(name)), _opened(self.path(name)) as source:
                with open(path, "wb") as file:
                    shutil.copyfileobj(source, file, _BLOCK)
            yield path

    def open_lock(self, name: str) -> Any:
        return None


def matching(pattern: str) -> List[FileMetadata]:
    """The files that match a pattern, in which ** stands for any path; none where no folder is.

    Raises:
      UserError: the file system is unknown.
      OSError: it does not answer.
    """
    with _os_errors(pattern):
        return FileSystems.match([pattern])[0].metadata_list


def read_file(path: str) -> bytes:
    """The bytes of a file."""
    with _os_errors(path), _opened(path) as file:
        return file.read()


def _opened(path: str) -> Any:
    return contextlib.closing(FileSystems.open(path, compression_type=_PLAIN))


def _read_whole(file: Any, length: int) -> bytes:
    """`length` bytes, of which a channel may give fewer at a time."""
    parts = []
    while length > 0:
        part = file.read(length)
        if not part:
            break
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


@contextlib.contextmanager
def _os_errors(path: str) -> Iterator[None]:
    """Whatever a file system raises as an OSError with a file and a short reason."""
    try:
        yield
    except ValueError as error:  # no file system of this scheme
        reason = (str(error).splitlines() or ["unknown file system"])[0]
        raise UserError("%s cannot be used: %s" % (printable(path), reason)) from None
    except (UserError, MemoryError):
        raise
    except Exception as error:
        details = getattr(error, "exception_details", None) or {}
        inner = next(iter(details.values()), error) if isinstance(details, dict) else error
        number = getattr(inner, "errno", None) or getattr(error, "errno", None)
        words = getattr(inner, "strerror", None) or (str(inner).splitlines() or [""])[0][:200]
        raise OSError(number or 0, words or type(inner).__name__, path) from None
