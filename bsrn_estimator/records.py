"""The record format, one definition for the writer and the reader (format version 1).

One record is a tf.train.Example with these features:

    image/key                 bytes   unique in the data set: `0001`, or `0001_y0480_x0960`
    image/name                bytes   name of the picture that it was cut from
    image/format              bytes   `png`, or `raw`: RGB, uint8, row after row
    image/height, image/width int64   size of the HR picture in this record
    image/y, image/x          int64   its origin in the whole HR picture
    image/hr/encoded          bytes
    image/lr_x{s}/encoded     bytes   for every scale s of the data set
    image/lr_x{s}/height, image/lr_x{s}/width   int64

Training records hold tiles whose size and origin are multiples of every scale, so the LR tile at
scale s is exactly the part at origin / s of the LR picture. Evaluation records hold whole
pictures, the HR uncropped and every LR as it was given.

Records stand in TFRecord files: uint64 length, masked CRC-32C of the length, the data, masked
CRC-32C of the data, all little-endian. Nothing here imports TensorFlow except the two functions
that build a graph.
"""

import os
import struct
from typing import Any, Dict, Iterable, Mapping, Optional, Tuple, Union

import google_crc32c
import numpy as np

from bsrn_estimator.errors import UserError
from bsrn_estimator.example import decode_example, encode_example
from bsrn_estimator.manifest import (
    ENCODINGS,
    FORMAT_VERSION,
    KINDS,
    SPLITS,
    Manifest,
    Shard,
)

__all__ = [
    "ENCODINGS",
    "FORMAT_VERSION",
    "KINDS",
    "SPLITS",
    "CorruptRecord",
    "Manifest",
    "Shard",
    "ShardWriter",
    "decode_example",
    "decode_picture",
    "encode_example",
    "frame",
    "image_features",
    "index_shard",
    "parse",
    "read_record",
    "shard_name",
]

# No PNG in a record is decoded beyond this many pixels, 400 MB as RGB.
MAX_PIXELS = 2**27
# Where a PNG has its width and height: position and bytes.
_PNG_SIZE = (16, 8)

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

    before: Tuple[np.ndarray, np.ndarray] = (np.zeros(0, np.int64), np.zeros(0, np.int64))

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


def image_features(
    key: str,
    name: str,
    encoding: str,
    origin: Tuple[int, int],
    hr: Tuple[bytes, int, int],
    lr: Mapping[int, Tuple[bytes, int, int]],
) -> Dict[str, Union[bytes, int]]:
    """The features of one record, ready for `encode_example`.

    Args:
      key: unique in the data set.
      name: name of the picture.
      encoding: "png" or "raw".
      origin: y and x of the tile in the HR picture, in pixels.
      hr: encoded HR picture, its height, its width.
      lr: the same for every scale.
    """
    encoded, height, width = hr
    features: Dict[str, Union[bytes, int]] = {
        "image/key": key.encode(),
        "image/name": name.encode(),
        "image/format": encoding.encode(),
        "image/height": height,
        "image/width": width,
        "image/y": origin[0],
        "image/x": origin[1],
        "image/hr/encoded": encoded,
    }
    for scale, (encoded, height, width) in lr.items():
        features["image/lr_x%d/encoded" % scale] = encoded
        features["image/lr_x%d/height" % scale] = height
        features["image/lr_x%d/width" % scale] = width
    return features


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
        self.incomplete_path = path + ".incomplete"
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
        if os.path.exists(self.incomplete_path):
            os.remove(self.incomplete_path)

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


def parse(serialized: Any, scales: Iterable[int]) -> Dict[str, Any]:
    """The features of one record, in a TensorFlow graph; no picture is decoded.

    Args:
      serialized: string tensor, scalar: the data of one record.
      scales: the scales wanted.

    Returns:
      Scalar tensors: strings `key`, `name`, `format`, `hr/encoded` and `lr_x{s}/encoded`; int64
      `height`, `width`, `y`, `x`, `lr_x{s}/height`, `lr_x{s}/width`.
    """
    from bsrn_estimator.compat import tf

    text, number = tf.FixedLenFeature([], tf.string), tf.FixedLenFeature([], tf.int64)
    kinds = {name: text for name in ("key", "name", "format", "hr/encoded")}
    kinds.update({name: number for name in ("height", "width", "y", "x")})
    for scale in scales:
        kinds["lr_x%d/encoded" % scale] = text
        kinds["lr_x%d/height" % scale] = number
        kinds["lr_x%d/width" % scale] = number
    parsed = tf.parse_single_example(
        serialized, {"image/" + name: kind for name, kind in kinds.items()}
    )
    return {name: parsed["image/" + name] for name in kinds}


def decode_picture(encoded: Any, format: Any, height: Any, width: Any) -> Any:
    """The pixels of an encoded picture, in a TensorFlow graph.

    Args:
      encoded: string tensor, scalar.
      format: "png" or "raw": a Python string (one decoder in the graph) or a string tensor.
      height: pixels, integer tensor or number.
      width: pixels, integer tensor or number.

    Returns:
      uint8 tensor [height, width, 3], RGB. It is an error to evaluate where the picture is not of
      this size, or is larger than `MAX_PIXELS`; a PNG is found to be so before it is decoded.
    """
    from bsrn_estimator.compat import tf

    shape = tf.stack([tf.cast(height, tf.int32), tf.cast(width, tf.int32), 3])

    def raw():
        return tf.reshape(tf.io.decode_raw(encoded, tf.uint8), shape)

    def png():
        # A few bytes can decode to gigabytes, so the header is looked at first.
        enough = tf.strings.length(encoded) >= sum(_PNG_SIZE)
        # Not left to substr: it would quote the bytes, and TensorFlow 1.15 crash on that.
        with tf.control_dependencies(
            [tf.Assert(enough, ["the record holds no PNG; convert the data again"])]
        ):
            header = tf.strings.substr(encoded, *_PNG_SIZE)
        width_height = tf.io.decode_raw(header, tf.int32, little_endian=False)
        pixels = tf.reduce_prod(tf.cast(width_height, tf.int64))
        fits = tf.reduce_all(tf.equal(width_height, shape[1::-1])) & (pixels <= MAX_PIXELS)
        problem = "the record holds a picture of another size than it says, or a far too large one"
        problem += "; check its folder with data_tools/to_tfrecord.py --verify"
        with tf.control_dependencies([tf.Assert(fits, [problem])]):
            return tf.reshape(tf.image.decode_png(encoded, channels=3), shape)

    if isinstance(format, str):
        return raw() if format == "raw" else png()
    return tf.cond(tf.equal(format, "raw"), raw, png)


def _masked_crc(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def _open(path: str) -> int:
    try:
        return os.open(path, os.O_RDONLY)
    except OSError as error:
        raise UserError("%s cannot be opened: %s" % (path, error.strerror)) from None
