"""TFRecord files: frames, checksums, shards.

A frame is a uint64 length, the masked CRC-32C of the length, the data, and the masked CRC-32C of
the data, all little-endian.
"""

import os
import struct
from typing import Optional, Tuple

import google_crc32c
import numpy as np

from bsrn_estimator import files
from bsrn_estimator.data.manifest import Shard
from bsrn_estimator.errors import UserError

HEADER_BYTES = 12
FOOTER_BYTES = 4
_MASK_DELTA = 0xA282EAD8


class CorruptRecord(UserError):
    """A record, or the file around it, is not what was written.

    Attributes:
      path: the shard.
      record: number of the record in its shard, from 0; None where not known.
      before: from `index_shard`, the offsets and lengths of the records before it.
    """

    before: Tuple[np.ndarray, np.ndarray]

    def __init__(self, path: str, record: Optional[int], problem: str) -> None:
        self.path = path
        self.record = record
        where = "%s, record %d" % (path, record) if record is not None else str(path)
        super().__init__(
            "%s: %s; copy the file again, or convert the data again with --overwrite"
            % (where, problem)
        )


def shard_name(split: str, number: int, total: int) -> str:
    """File name of shard `number` (from 0) of `total`: `train-00000-of-00016.tfrecord`."""
    return "%s-%05d-of-%05d.tfrecord" % (split, number, total)


def frame(data: bytes) -> bytes:
    """`data` as it stands in a TFRecord file, lengths and checksums included."""
    header = struct.pack("<Q", len(data))
    return b"".join(
        (header, struct.pack("<I", _masked_crc(header)), data, struct.pack("<I", _masked_crc(data)))
    )


class ShardWriter:
    """Writes one TFRecord file aside, as `path`.incomplete; `finish` gives it its name.

    As a context manager it finishes at the end of the block, and removes what it wrote where the
    block raises. `shard` then holds the file's description for the manifest.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.incomplete_path = files.aside(path)
        self.records = 0
        self.bytes = 0
        self.shard: Optional[Shard] = None
        self._crc = 0
        self._file = open(self.incomplete_path, "wb")

    def write(self, data: bytes) -> None:
        """Appends one record."""
        self.write_framed(frame(data), 1)

    def write_framed(self, frames: bytes, records: int) -> None:
        """Appends `records` records that `frame` has already framed."""
        self._file.write(frames)
        self._crc = google_crc32c.extend(self._crc, frames)
        self.records += records
        self.bytes += len(frames)

    def finish(self, rename: bool = True) -> Shard:
        """Puts the file on the disk, renames it unless told not to, and describes it."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        self.shard = Shard(os.path.basename(self.path), self.records, self.bytes, self._crc)
        if rename:
            os.replace(self.incomplete_path, self.path)
        return self.shard

    def discard(self) -> None:
        """Removes what was written so far."""
        try:
            self._file.close()
        except OSError:  # a full disk refuses the rest of the buffer
            pass
        files.remove(self.incomplete_path)

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, kind, *unused) -> None:
        if kind is None:
            self.finish()
        else:
            self.discard()


def index_shard(path: str) -> Tuple[np.ndarray, np.ndarray]:
    """Where the records of a shard stand; walks the headers, reads no data.

    Args:
      path: a TFRecord file.

    Returns:
      offsets, int64 [n]: where the data of each record begins in the file, in bytes;
      lengths, int64 [n]: how many bytes of data it has. Both go to `read_record` as they are.

    Raises:
      CorruptRecord: a header's checksum is wrong, or the file ends inside a record.
      UserError: the file cannot be opened.
    """
    offsets, lengths = [], []
    descriptor = _open(path)
    try:
        size = os.fstat(descriptor).st_size
        position = 0
        while position < size:
            header = os.pread(descriptor, HEADER_BYTES, position)
            if len(header) < HEADER_BYTES:
                raise CorruptRecord(path, len(offsets), "the file is cut short")
            length, crc = struct.unpack("<QI", header)
            if _masked_crc(header[:8]) != crc:
                raise CorruptRecord(path, len(offsets), "the checksum of its length is wrong")
            end = position + HEADER_BYTES + length + FOOTER_BYTES
            if end > size:
                raise CorruptRecord(path, len(offsets), "the file is cut short")
            offsets.append(position + HEADER_BYTES)
            lengths.append(length)
            position = end
    except CorruptRecord as error:
        error.before = np.array(offsets, np.int64), np.array(lengths, np.int64)
        raise
    finally:
        os.close(descriptor)
    return np.array(offsets, np.int64), np.array(lengths, np.int64)


def read_record(path: str, offset: int, length: int, record: Optional[int] = None) -> bytes:
    """The data of one record, its checksum verified. Safe to call from several threads.

    Args:
      path: the shard.
      offset: where the data begins, from `index_shard`.
      length: its size, from `index_shard`.
      record: number of the record, for the message.

    Raises:
      CorruptRecord: the data is not what was written, or the file is cut short.
      UserError: the file cannot be opened.
    """
    descriptor = _open(path)
    try:
        # Two reads: cutting the checksum off a record would copy the record.
        data = os.pread(descriptor, int(length), int(offset))
        footer = os.pread(descriptor, FOOTER_BYTES, int(offset) + int(length))
    except OSError as error:
        raise UserError("%s cannot be read: %s" % (path, error.strerror)) from None
    finally:
        os.close(descriptor)
    if len(data) + len(footer) < length + FOOTER_BYTES:
        raise CorruptRecord(path, record, "the file is cut short")
    if _masked_crc(data) != struct.unpack("<I", footer)[0]:
        raise CorruptRecord(path, record, "its checksum is wrong")
    return data


def _masked_crc(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        raise UserError("%s cannot be opened: %s" % (path, error.strerror)) from None
