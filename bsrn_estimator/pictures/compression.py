"""Whether a picture file has lost detail to its compression, as its header says."""

import io
import os
import struct
from typing import BinaryIO

from bsrn_estimator.pictures.decoding import Source

_JPEG = b"\xff\xd8\xff"
# Chunks looked at of a WebP: there are six kinds before the pixels, each of them once.
_MOST_CHUNKS = 100
# Of an animation's frame: where it stands and how long; the chunks of its picture follow.
_FRAME_HEADER = 16


def is_lossy(source: Source) -> bool:
    """Whether a file is a JPEG, or a WebP whose pixels are coded as lossy ones are.

    A PNG that once was a JPEG does not tell, and a file that cannot be read is not lossy either:
    what is wrong with it is said when it is decoded.

    Args:
      source: path of a file, or the file's bytes.
    """
    if not isinstance(source, bytes) and not os.path.isfile(source):
        return False  # a pipe would block
    try:
        with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file:
            head = file.read(12)
            if head[:4] == b"RIFF" and head[8:] == b"WEBP":
                return _is_lossy_webp(file)
            return head.startswith(_JPEG)
    except (OSError, struct.error):
        return False


def _is_lossy_webp(file: BinaryIO) -> bool:
    """Whether the first picture behind the head of a WebP is lossy: RFC 9649, section 2."""
    for _ in range(_MOST_CHUNKS):
        name, length = struct.unpack("<4sI", file.read(8))
        if name in (b"VP8 ", b"VP8L"):
            return name == b"VP8 "
        file.seek(_FRAME_HEADER if name == b"ANMF" else length + length % 2, os.SEEK_CUR)
    return False
