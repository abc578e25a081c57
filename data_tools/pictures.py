"""Picture files as 8-bit RGB arrays, whatever they hold, and without trust in what they say.

What a picture becomes:

    grey, black and white    its value in all three channels
    palette                  the colours of the palette
    alpha                    left out; the colours stay as stored
    16 bits                  rounded to 8: value / 257
    CMYK, YCbCr, Lab         converted by Pillow
    several frames or pages  the first
    EXIF orientation         applied
"""

import io
import os
import stat
import warnings
from typing import Optional, Tuple, Union

import numpy as np
from PIL import Image

from bsrn_estimator.errors import UserError

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
MAX_PIXELS = 80000000  # about 9,000 by 9,000: 240 MB as RGB

_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
_ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)  # orientations that swap height and width

# The limit on pixels is checked here, from the header, and is an error rather than a warning.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

Source = Union[str, bytes, "os.PathLike[str]"]


def open_checked(
    source: Source, max_pixels: int = MAX_PIXELS, name: Optional[str] = None
) -> Image.Image:
    """Opens a picture and reads its header; no pixel is decoded.

    Args:
      source: path of a regular file, or the file's bytes.
      max_pixels: the most pixels that the header may announce.
      name: what messages call the picture; by default the path.

    Returns:
      A Pillow picture, to be closed by the caller.

    Raises:
      UserError: it cannot be read, is not a picture of a supported format, or is too large.
    """
    name = name or _name_of(source)
    file = _open(source, name)
    try:
        image = Image.open(file, formats=_FORMATS)
    except Image.DecompressionBombError:
        file.close()
        raise UserError(_too_large(name, 2 * Image.MAX_IMAGE_PIXELS)) from None
    except Exception:  # a hostile header makes Pillow raise nearly anything
        file.close()
        raise UserError(
            "%s is not a picture that can be read (PNG, JPEG, BMP, TIFF or WebP)" % name
        ) from None
    if image.width * image.height > max_pixels:
        image.close()
        raise UserError(_too_large(name, max_pixels))
    return image


def picture_size(
    source: Source, max_pixels: int = MAX_PIXELS, name: Optional[str] = None
) -> Tuple[int, int]:
    """Height and width that `read_rgb` would give, from the header alone.

    Raises:
      UserError: as `open_checked`.
    """
    name = name or _name_of(source)
    with open_checked(source, max_pixels, name) as image:
        try:
            return _oriented_size(image)
        except Exception:  # as above: the header is not to be trusted
            raise UserError("%s has a header that cannot be read" % name) from None


def read_rgb(
    source: Source, max_pixels: int = MAX_PIXELS, name: Optional[str] = None
) -> np.ndarray:
    """Decodes a picture.

    Args:
      source: path of a regular file, or the file's bytes.
      max_pixels: the most pixels that the header may announce.
      name: what messages call the picture; by default the path.

    Returns:
      uint8 [height, width, 3], RGB, values 0..255.

    Raises:
      UserError: as `open_checked`, or the picture does not decode or is cut short.
    """
    name = name or _name_of(source)
    with open_checked(source, max_pixels, name) as image:
        try:
            return to_rgb(image, source)
        except UserError as error:
            raise UserError("%s %s" % (name, error)) from None
        except Exception as error:
            raise UserError(
                "%s cannot be decoded, it is damaged or cut short (%s)" % (name, _short(error))
            ) from None


def to_rgb(image: Image.Image, source: Source) -> np.ndarray:
    """The pixels of an opened picture as uint8 [height, width, 3]; `source` is its file."""
    deep = image.tile and "16" in str(image.tile[0][3]) and image.mode in ("RGB", "RGBA", "LA")
    image.load()  # before any other decoder: Pillow refuses a picture that is cut short
    orientation = image.getexif().get(_ORIENTATION, 1)
    if deep:
        return _upright(_sixteen_bits(source), orientation)
    if image.format == "TIFF":
        orientation = 1  # Pillow has turned it
    if image.mode.startswith("I"):
        image = _grey_of_wide(image)
    elif image.mode == "F":
        raise UserError("holds floating-point pixels; save it with 8 or 16 bits")
    if image.mode != "RGB":
        image = image.convert("RGBA" if image.mode == "PA" else "RGB").convert("RGB")
    return _upright(np.asarray(image), orientation)


def _upright(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels turned and mirrored as the EXIF orientation, 1 to 8, asks for."""
    if orientation in _TURNED:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _oriented_size(image: Image.Image) -> Tuple[int, int]:
    if image.format == "TIFF":
        # Newer releases of Pillow turn the size of a TIFF themselves; the tags say what is stored.
        width, height = image.tag_v2[256], image.tag_v2[257]
        orientation = image.tag_v2.get(_ORIENTATION, 1)
    else:
        width, height = image.size
        # Pillow decodes a whole PNG to look for EXIF data behind the pixels.
        known = image.format != "PNG" or "exif" in image.info
        orientation = image.getexif().get(_ORIENTATION, 1) if known else 1
    return (width, height) if orientation in _TURNED else (height, width)


def _grey_of_wide(image: Image.Image) -> Image.Image:
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise UserError("holds 32-bit pixels; save it with 8 or 16 bits")
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _sixteen_bits(source: Source) -> np.ndarray:
    """16-bit colour, of which Pillow would keep the upper half of each value only."""
    import cv2  # slow to import and seldom needed

    if not isinstance(source, bytes):
        with open(source, "rb") as file:
            source = file.read()
    values = cv2.imdecode(np.frombuffer(source, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        raise UserError("holds 16-bit pixels in a form that is not supported")
    values = values[:, :, 2::-1].astype(np.uint32)
    return ((values + 128) // 257).astype(np.uint8)


def _open(source: Source, name: str):
    if isinstance(source, bytes):
        return io.BytesIO(source)
    try:
        # Without the check, a pipe among the pictures would block for ever.
        if not stat.S_ISREG(os.stat(source).st_mode):
            raise UserError("%s is not a file" % name)
        return open(source, "rb")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError("%s cannot be opened: %s" % (name, reason)) from None


def _name_of(source: Source) -> str:
    return "the picture" if isinstance(source, bytes) else printable(os.fspath(source))


def printable(name: str) -> str:
    """A file name as it can stand in one line of a message."""
    clean = name.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in clean)


def _too_large(name: str, limit: int) -> str:
    return "%s announces more than %d pixels; raise --max_pixels if it is right" % (name, limit)


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]
