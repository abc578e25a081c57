"""Result files: written whole, with a record of what they were made of, and known again by it.

The record is a JSON object: in a PNG the text with the keyword `bsrn_estimator`, in a JPEG or WebP
the Exif tag Software, behind that word. A checksum over the whole file stands beside it, for a
record alone would vouch for a picture that was cut short behind it.
"""

import contextlib
import io
import json
import os
import re
import zlib
from typing import Any, ContextManager, Dict, NamedTuple, Optional, Tuple

import numpy as np
from PIL import Image

from bsrn_estimator import files
from bsrn_estimator.errors import UserError
from bsrn_estimator.pictures import png

RECORD_KEY = "bsrn_estimator"
FORMATS = ("png", "jpeg", "webp")

_SOFTWARE = 0x0131  # a tag of Exif
_NO_SEAL = "00000000"
_SEAL = re.compile(rb'(?<="seal": ")[0-9a-f]{8}(?=")')


class ResultFormat(NamedTuple):
    """What results are written as.

    Attributes:
      name: one of FORMATS.
      quality: 1 to 100; None for what loses nothing, of JPEG for 95.
      level: how much a PNG is compressed, see `png.LEVEL`.
    """

    name: str = "png"
    quality: Optional[int] = None
    level: int = png.LEVEL

    @property
    def ending(self) -> str:
        """What names of results end with."""
        return {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}[self.name]

    @property
    def longest_side(self) -> int:
        """The most pixels that a side may have."""
        return {"png": 2**31 - 1, "jpeg": 65500, "webp": 16383}[self.name]

    def check(self, label: str, height: int, width: int, transparent: bool) -> None:
        """Raises UserError, which names `label`, where such a result does not fit in the format."""
        if max(height, width) > self.longest_side:
            raise UserError(
                "%s would become %d x %d pixels, but %s takes %d a side; use --output_format=png"
                % (label, width, height, self.name.upper(), self.longest_side)
            )
        if transparent and self.name == "jpeg":
            raise UserError(
                "%s has transparent parts, which JPEG does not hold; use --output_format=png or "
                "webp" % label
            )


def write(
    path: str,
    shape: Tuple[int, int, int],
    bits: int,
    icc_profile: Optional[bytes],
    record: Dict[str, Any],
    form: ResultFormat,
    wait: bool = True,
) -> ContextManager:
    """A result to write from top to bottom, with `write(band)`; it takes its name at the end.

    A PNG goes to the disk row by row; a JPEG or WebP is held in memory, four bytes a pixel.

    Args:
      path: the file; its folder must exist.
      shape: height, width and channels: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and alpha.
      bits: 8 or 16, what the bands are; JPEG and WebP round 16 to 8.
      icc_profile: colour profile to embed.
      record: what the result was made of.
      form: what to write.
      wait: waits while another process writes the same file.

    Raises:
      files.Busy: another process does, and `wait` is false.
      OSError: it cannot be written.
    """
    if form.name == "png":
        texts = {RECORD_KEY: json.dumps(record)}
        return png.PngWriter(path, shape, bits, icc_profile, texts, wait, form.level)
    return _held(path, _Pixels(shape, icc_profile), record, form, wait)


@contextlib.contextmanager
def _held(path: str, pixels: "_Pixels", record: Dict[str, Any], form: ResultFormat, wait: bool):
    with files.written_whole(path, "wb", sync=False, wait=wait) as file:
        yield pixels
        file.write(pixels.encoded(record, form))


class _Pixels:
    """A JPEG or WebP that is being made; see `write`."""

    def __init__(self, shape: Tuple[int, int, int], icc_profile: Optional[bytes]) -> None:
        self._shape, self._profile, self._done = shape, icc_profile, 0
        # Of RGB Pillow would make a copy with a fourth byte in it; this it takes as it is.
        self._stored = np.full(shape[:2] + (1 if shape[2] == 1 else 4,), 255, np.uint8)

    def write(self, band: np.ndarray) -> None:
        """Adds rows: uint8 or uint16 [rows, width, channels]."""
        if band.dtype == np.uint16:
            band = ((band.astype(np.uint32) + 128) // 257).astype(np.uint8)
        rows = self._stored[self._done : self._done + len(band)]
        if self._shape[2] == 2:
            rows[..., :3], rows[..., 3:] = band[..., :1], band[..., 1:]
        else:
            rows[..., : self._shape[2]] = band
        self._done += len(band)

    def encoded(self, record: Dict[str, Any], form: ResultFormat) -> bytes:
        """The file, sealed."""
        height, width, channels = self._shape
        if self._done != height:
            raise ValueError("%d rows of %d were written" % (self._done, height))
        mode = {1: "L", 3: "RGBX"}.get(channels, "RGBA")
        exif = Image.Exif()
        exif[_SOFTWARE] = "%s %s" % (RECORD_KEY, json.dumps(dict(record, seal=_NO_SEAL)))
        options: Dict[str, Any] = {"quality": form.quality or 95, "subsampling": 0}
        if form.name == "webp":
            options = {"quality": form.quality} if form.quality else {"lossless": True, "method": 2}
        stream = io.BytesIO()
        Image.frombuffer(mode, (width, height), self._stored, "raw", mode, 0, 1).save(
            stream, form.name, exif=exif.tobytes(), icc_profile=self._profile or b"", **options
        )
        content = stream.getvalue()
        return _SEAL.sub(b"%08x" % _checksum(content), content, 1)


def record_of(path: str) -> Optional[Dict[str, Any]]:
    """What a result was made of, from its header; None where the file is no result of ours.

    Empty where it is one of which no more can be told. Nothing of a file is trusted.
    """
    if not os.path.isfile(path):
        return None  # a pipe would block
    text = png.text_of(path, RECORD_KEY)
    if text is None:
        try:
            with Image.open(path, formats=("JPEG", "WEBP")) as image:
                name, _, text = str(image.getexif().get(_SOFTWARE, "")).partition(" ")
        except Exception:  # a hostile header makes Pillow raise nearly anything
            return None
        if name != RECORD_KEY:
            return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        return {}
    record.pop("seal", None)
    return record


def is_whole(path: str) -> bool:
    """Whether a result is what was written, from the first byte to the last; reads all of it."""
    if png.is_whole(path):
        return True
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return False
    seal = _SEAL.search(content)
    if content[:1] == b"\x89" or not seal:
        return False
    unsealed = content[: seal.start()] + _NO_SEAL.encode() + content[seal.end() :]
    return seal.group() == b"%08x" % _checksum(unsealed)


def is_cut_short(path: str) -> bool:
    """Whether a file lacks the end that its format asks for."""
    with open(path, "rb") as file:
        head = file.read(12)
        size = file.seek(0, os.SEEK_END)
        file.seek(-min(size, 12), os.SEEK_END)
        tail = file.read()
    if head[:4] == b"RIFF":
        return size < 8 + int.from_bytes(head[4:8], "little")
    return not (tail.endswith(b"\xff\xd9") or tail[-8:-4] == b"IEND")


def _checksum(content: bytes) -> int:
    return zlib.crc32(content) & 0xFFFFFFFF
