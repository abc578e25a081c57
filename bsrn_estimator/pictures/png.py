"""Writing a PNG row by row, so that a picture of any size takes little memory.

Written for what the usual libraries leave out: rows that come one band at a time, and 16 bit in
every form of colour. Format: Portable Network Graphics (PNG) Specification, W3C, second edition.
"""

import contextlib
import os
import struct
import zlib
from concurrent import futures
from typing import Dict, Optional

import numpy as np

from bsrn_estimator import files

_START = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels
_ROWS_AT_ONCE = 32
_LONGEST_TEXT = 2**16
# Keyword of the last text: the CRC-32 of all that stands before it in the file.
_SEAL = "bsrn_estimator_crc32"
_END = b"\0\0\0\0IEND\xaeB`\x82"


# Looks for runs of one byte alone. Of enlarged photographs that makes files as small as those of
# level 6, five times as fast; of drawings they are a third larger: docs/performance.md.
LEVEL = 1


class PngWriter:
    """A PNG that is being written, to `path` with `.incomplete` behind it until it is closed.

    Rows are compressed in a thread, one band while the next is being made, so two are held at a
    time; what goes wrong there is raised by the next call. Of two processes that write one path the
    second waits for the first, or is told that it is busy.

    Args:
      path: the file; replaced if it exists.
      shape: height, width and channels: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
      bits: 8 or 16.
      icc_profile: colour profile to embed.
      texts: Latin-1 texts to embed, by keyword. With them comes a checksum; see `is_whole`.
      wait: waits while another process writes the same file.
      level: 0 for no compression to 9 for the most, see LEVEL.

    Raises:
      files.Busy: another process does, and `wait` is false.
    """

    def __init__(
        self,
        path: str,
        shape,
        bits: int = 8,
        icc_profile: Optional[bytes] = None,
        texts: Optional[Dict[str, str]] = None,
        wait: bool = True,
        level: int = LEVEL,
    ) -> None:
        self._path, self._aside = path, files.aside(path)
        self._shape, self._bits, self._rows = tuple(shape), bits, 0
        self._above = np.zeros(shape[1] * shape[2] * bits // 8, np.uint8)
        strategy = zlib.Z_RLE if level == 1 else zlib.Z_FILTERED
        self._compressor = zlib.compressobj(level, zlib.DEFLATED, 15, 9, strategy)
        self._thread = futures.ThreadPoolExecutor(1, thread_name_prefix="png")
        self._written: Optional[futures.Future] = None
        self._file = files.hold_aside(path, wait)
        self._crc, self._sealed = 0, bool(texts)
        try:
            self._start(texts or {}, icc_profile)
        except BaseException:
            self.abandon()
            raise

    def _start(self, texts: Dict[str, str], icc_profile: Optional[bytes]) -> None:
        shape, bits = self._shape, self._bits
        self._bytes(_START)
        header = (shape[1], shape[0], bits, _COLOUR_TYPES[shape[2]], 0, 0, 0)
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", *header))
        if icc_profile:
            self._chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(icc_profile))
        for keyword, text in texts.items():
            self._text(keyword, text)

    def _bytes(self, content: bytes) -> None:
        self._crc = zlib.crc32(content, self._crc)
        self._file.write(content)

    def _chunk(self, name: bytes, content: bytes) -> None:
        checksum = zlib.crc32(name + content) & 0xFFFFFFFF
        self._bytes(struct.pack(">I", len(content)) + name + content)
        self._bytes(struct.pack(">I", checksum))

    def _text(self, keyword: str, text: str) -> None:
        self._chunk(b"tEXt", keyword.encode("latin-1") + b"\0" + text.encode("latin-1"))

    def write(self, band: np.ndarray) -> None:
        """Adds rows: uint8 or uint16 (as `bits`) [rows, width, channels], which stay as they are.

        Raises:
          OSError: the rows before them cannot be written.
        """
        if band.shape[1:] != self._shape[1:] or band.dtype.itemsize * 8 != self._bits:
            raise ValueError("rows of %s %s do not fit" % (band.dtype, band.shape[1:]))
        self._await()
        self._written = self._thread.submit(self._compress, band)
        self._rows += len(band)

    def _await(self) -> None:
        """Waits for what is being compressed, and raises what it raised."""
        written, self._written = self._written, None
        if written is not None:
            written.result()

    def _compress(self, band: np.ndarray) -> None:
        for begin in range(0, len(band), _ROWS_AT_ONCE):
            rows = np.ascontiguousarray(band[begin : begin + _ROWS_AT_ONCE])
            if self._bits == 16:
                rows = rows.astype(">u2")
            rows = rows.reshape(len(rows), -1).view(np.uint8)
            filtered = _filtered(rows, self._above, self._shape[2] * self._bits // 8)
            self._above = rows[-1].copy()
            self._data(self._compressor.compress(filtered.tobytes()))

    def _data(self, compressed: bytes) -> None:
        if compressed:
            self._chunk(b"IDAT", compressed)

    def close(self) -> None:
        """Finishes the file and gives it its name."""
        try:
            self._await()
            if self._rows != self._shape[0]:
                raise ValueError("%d rows of %d were written" % (self._rows, self._shape[0]))
            self._data(self._compressor.flush())
            if self._sealed:
                self._text(_SEAL, "%08x" % (self._crc & 0xFFFFFFFF))
            self._bytes(_END)
            self._file.flush()
            os.replace(self._aside, self._path)
        except BaseException:
            self.abandon()
            raise
        self._file.close()
        self._thread.shutdown()

    def abandon(self) -> None:
        """Removes what was written."""
        self._thread.shutdown()  # waits for what it is doing
        files.remove(self._aside)
        with contextlib.suppress(OSError):  # a full disk refuses the rest of the buffer
            self._file.close()

    def __enter__(self) -> "PngWriter":
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


def _filtered(rows: np.ndarray, above: np.ndarray, step: int) -> np.ndarray:
    """Rows with the filter in front whose result has the smallest sum of magnitudes.

    Args:
      rows: uint8 [rows, bytes].
      above: uint8 [bytes], the row before the first.
      step: bytes of a pixel.

    Returns:
      uint8 [rows, 1 + bytes].
    """
    up = np.concatenate([above[np.newaxis], rows[:-1]])
    left, corner = np.zeros_like(rows), np.zeros_like(rows)
    left[:, step:], corner[:, step:] = rows[:, :-step], up[:, :-step]
    candidates = {1: rows - left, 2: rows - up, 4: rows - _paeth(left, up, corner)}
    weights = [np.abs(c.view(np.int8).astype(np.int16)).sum(1) for c in candidates.values()]
    best = np.argmin(weights, axis=0)
    result = np.empty((len(rows), 1 + rows.shape[1]), np.uint8)
    for index, (kind, candidate) in enumerate(candidates.items()):
        chosen = best == index
        result[chosen, 0], result[chosen, 1:] = kind, candidate[chosen]
    return result


def _paeth(left: np.ndarray, up: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """Of three neighbours the one nearest to left + up - corner; ties in that order."""
    to_left = np.abs(up.astype(np.int16) - corner)
    to_up = np.abs(left.astype(np.int16) - corner)
    to_corner = np.abs(left.astype(np.int16) + up - 2 * corner.astype(np.int16))
    take_left = (to_left <= to_up) & (to_left <= to_corner)
    return np.where(take_left, left, np.where(to_up <= to_corner, up, corner))


def text_of(path: str, keyword: str) -> Optional[str]:
    """The text that `PngWriter` embedded under `keyword`; None where there is none.

    Reads no further than the first pixels, and follows no length without a bound.
    """
    try:
        with open(path, "rb") as file:
            if file.read(len(_START)) != _START:
                return None
            while True:
                length, name = struct.unpack(">I4s", file.read(8))
                if name in (b"IDAT", b"IEND"):
                    return None
                if name != b"tEXt" or length > _LONGEST_TEXT:
                    file.seek(length + 4, os.SEEK_CUR)
                    continue
                content = file.read(length)
                found, _, text = content.partition(b"\0")
                if len(content) == length and found == keyword.encode("latin-1"):
                    return text.decode("latin-1")
                file.seek(4, os.SEEK_CUR)
    except (OSError, struct.error):
        return None


def is_whole(path: str) -> bool:
    """Whether a file is what `PngWriter` wrote, to the last byte; reads all of it."""
    seal = struct.pack(">I", len(_SEAL) + 9) + b"tEXt" + _SEAL.encode() + b"\0"
    tail = len(seal) + 8 + 4 + len(_END)
    try:
        with open(path, "rb") as file:
            left = os.fstat(file.fileno()).st_size - tail
            crc = 0
            while left > 0:
                block = file.read(min(left, 2**20))
                if not block:
                    return False
                crc, left = zlib.crc32(block, crc), left - len(block)
            found = file.read()
    except OSError:
        return False
    text = b"%08x" % (crc & 0xFFFFFFFF)
    return found[: len(seal)] == seal and found[len(seal) : -16] == text and found[-12:] == _END
