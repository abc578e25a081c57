"""Picture files as arrays, whatever they hold, and without trust in what they say.

What a picture becomes:

    grey, black and white    one channel
    palette                  its colours; one channel where all of them are grey
    16 bits                  kept
    alpha, transparent index kept, beside the colours as stored
    CMYK, YCbCr, Lab         converted to RGB by Pillow
    EXIF orientation         applied
"""

import functools
import importlib
import io
import os
import stat
import warnings
from typing import BinaryIO, NamedTuple, Optional, Tuple, Union

import numpy as np
from PIL import Image, features

from bsrn_estimator.errors import UserError, install_command, printable

MAX_PIXELS = 80000000  # about 9,000 by 9,000: 240 MB as RGB

# The endings of what is always read, and of what takes a plug-in, by Pillow's name of the format.
_JPEG_EXTENSIONS = (".jpg", ".jpeg", ".jfif", ".jpe", ".jif", ".jfi")
EXTENSIONS = (".png", ".apng", ".bmp", ".tif", ".tiff", ".webp", ".gif") + _JPEG_EXTENSIONS
PLUGIN_EXTENSIONS = {".avif": "AVIF", ".heic": "HEIF", ".heif": "HEIF", ".hif": "HEIF"}

KINDS = "PNG, JPEG, BMP, TIFF, WebP, GIF, AVIF or HEIC"

_FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF")
# The brands of an ISO base media file that say what a picture in it is coded with.
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_LONGEST_BRANDS = 256
ORIENTATION = 0x0112
_TURNED = (5, 6, 7, 8)  # orientations that swap height and width
# The raw modes of Pillow for samples of 16 bits name their byte order; "BGR;16" is 5, 6 and 5 bits.
_SIXTEEN_BITS = ("16B", "16L", "16N")
# Where OpenCV puts the samples of such a raw mode; "RGBa" holds colours times alpha.
_SIXTEEN_BIT_ORDERS = {
    "LA": [0, -1],
    "RGB": [2, 1, 0],
    "RGBX": [2, 1, 0],
    "RGBA": [2, 1, 0, 3],
    "RGBa": [2, 1, 0, 3],
}
_PROFILE_SPACES = {1: b"GRAY", 3: b"RGB "}  # by the number of channels of colour

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
        image = Image.open(file, formats=formats_of(file, name))
    except UserError:
        file.close()
        raise
    except Image.DecompressionBombError:
        file.close()
        raise UserError(_too_large(name, 2 * Image.MAX_IMAGE_PIXELS)) from None
    except Exception:  # a hostile header makes Pillow raise nearly anything
        file.close()
        raise UserError("%s is not a picture that can be read (%s)" % (name, KINDS)) from None
    if image.width * image.height > max_pixels:
        image.close()
        raise UserError(_too_large(name, max_pixels))
    return image


@functools.lru_cache(maxsize=None)
def is_readable(plugin_format: str) -> bool:
    """Whether Pillow, or a plug-in that is installed, reads "AVIF" or "HEIF"."""
    try:
        if plugin_format == "HEIF":
            importlib.import_module("pillow_heif").register_heif_opener()
            return True
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # older releases of Pillow do not know the word
            if not features.check("avif"):
                importlib.import_module("pillow_avif")
        return True
    except ImportError:
        return False


def formats_of(file: BinaryIO, name: str) -> Tuple[str, ...]:
    """The formats, as Pillow calls them, that a file may be of; it is left at its beginning.

    Raises:
      UserError: it takes a package that is missing.
    """
    head = file.read(12)
    brands = set()
    if head[4:8] == b"ftyp":
        length = min(int.from_bytes(head[:4], "big"), _LONGEST_BRANDS)
        listed = head[8:] + file.read(max(length - 12, 0))
        brands = {listed[begin : begin + 4] for begin in range(0, len(listed), 4)}
    file.seek(0)
    kind = "AVIF" if brands & _AVIF_BRANDS else "HEIF" if brands & _HEIF_BRANDS else ""
    if kind and not is_readable(kind):
        raise UserError(
            "%s is %s, for which a package is missing; get it with %s, or save it as PNG"
            % (name, "AVIF" if kind == "AVIF" else "HEIC", install_command("pictures"))
        )
    return _FORMATS + ((kind,) if kind else ())


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
    """Decodes a picture to 8-bit RGB; as `read_colours`, but grey fills all three channels."""
    return three_channels(read_colours(source, max_pixels, name))


def three_channels(colours: np.ndarray) -> np.ndarray:
    """[height, width, 1 or 3] as [height, width, 3], grey values in all three, contiguous."""
    return np.ascontiguousarray(np.broadcast_to(colours, colours.shape[:2] + (3,)))


def read_colours(
    source: Source, max_pixels: int = MAX_PIXELS, name: Optional[str] = None
) -> np.ndarray:
    """Decodes the colours of a picture to 8 bits, in as many channels as its file has.

    Alpha is left out, 16 bits are rounded to 8 (value / 257), and of several frames or pages the
    first is taken; see `decode` for the rest.

    Args:
      source: path of a regular file, or the file's bytes.
      max_pixels: the most pixels that the header may announce.
      name: what messages call the picture; by default the path.

    Returns:
      uint8 [height, width, 1 or 3], grey or RGB, values 0..255.

    Raises:
      UserError: as `open_checked`, or the picture does not decode or is cut short.
    """
    pixels = decode(source, max_pixels, name).pixels
    colours = pixels[..., : 3 if pixels.shape[2] > 2 else 1]
    if colours.dtype == np.uint16:
        colours = ((colours.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return colours


class Decoded(NamedTuple):
    """What a file holds.

    Attributes:
      pixels: uint8 or uint16 [height, width, channels]: 1 grey, 2 grey and alpha, 3 RGB, 4 RGB and
        alpha.
      icc_profile: the colour profile; None where there is none that fits the channels.
    """

    pixels: np.ndarray
    icc_profile: Optional[bytes]


def decode(
    source: Source,
    max_pixels: int = MAX_PIXELS,
    name: Optional[str] = None,
    several: bool = True,
) -> Decoded:
    """Decodes a picture as it is stored.

    Args:
      source: path of a regular file, or the file's bytes.
      max_pixels: the most pixels that the header may announce.
      name: what messages call the picture; by default the path.
      several: whether of several frames or pages the first is taken; else they are refused.

    Raises:
      UserError: as `open_checked`, or the picture does not decode, is cut short, or has frames that
        are refused.
    """
    name = name or _name_of(source)
    with open_checked(source, max_pixels, name) as image:
        try:
            if not several:
                _refuse_frames(image)
            return _decoded(image, source)
        except UserError as error:
            raise UserError("%s %s" % (name, error)) from None
        except MemoryError:
            raise
        except Exception as error:  # a hostile file makes Pillow raise nearly anything
            raise UserError(
                "%s cannot be decoded, it is damaged or cut short (%s)" % (name, _short(error))
            ) from None


def _refuse_frames(image: Image.Image) -> None:
    # Cameras put a small second picture in a JPEG; that is no animation.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise UserError(
            "is animated or has pages (%d frames); --first_frame takes the first, or give them as "
            "single pictures" % frames
        )


def _decoded(image: Image.Image, source: Source) -> Decoded:
    # Both go when the pixels are loaded.
    raw_mode = _raw_mode(image)
    is_tiff = image.format == "TIFF"
    orientation = image.tag_v2.get(ORIENTATION, 1) if is_tiff else None
    image.load()  # before any other decoder: Pillow refuses a picture that is cut short
    profile = image.info.get("icc_profile")
    stored, _, sixteen = raw_mode.partition(";")
    deep = stored in _SIXTEEN_BIT_ORDERS and sixteen in _SIXTEEN_BITS
    if deep:
        pixels = _sixteen_bits(source, stored)
    else:
        pixels = shallow(image)
    if not is_tiff:
        orientation = image.getexif().get(ORIENTATION, 1)
    elif not deep:
        orientation = 1  # Pillow has turned it
    return upright(pixels, orientation, profile)


def upright(pixels: np.ndarray, orientation: int, profile: Optional[bytes]) -> Decoded:
    """Pixels turned as the EXIF orientation asks for, with the colour profile if it fits them."""
    pixels = np.ascontiguousarray(_turned(pixels, orientation))
    if profile and profile[16:20] != _PROFILE_SPACES[3 if pixels.shape[2] > 2 else 1]:
        profile = None
    return Decoded(pixels, profile)


def _raw_mode(image: Image.Image) -> str:
    """How the file stores a pixel, in Pillow's words, such as "RGB;16B"; empty where not told."""
    if not image.tile:
        return ""
    arguments = image.tile[0][3]
    if isinstance(arguments, (tuple, list)):
        arguments = arguments[0] if arguments else ""
    return arguments if isinstance(arguments, str) else ""


def _sixteen_bits(source: Source, stored: str) -> np.ndarray:
    """16-bit colour, of which Pillow would keep half: uint16 [height, width, 2 to 4].

    Args:
      source: as for `decode`.
      stored: a key of _SIXTEEN_BIT_ORDERS.
    """
    import cv2  # slow to import and seldom needed

    if not isinstance(source, bytes):
        with open(source, "rb") as file:
            source = file.read()
    values = cv2.imdecode(np.frombuffer(source, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        raise UserError("holds 16-bit pixels in a form that is not supported")
    values = values[..., _SIXTEEN_BIT_ORDERS[stored]]
    if stored == "RGBa":
        alpha = np.maximum(values[..., 3:], 1).astype(np.float32)
        values[..., :3] = np.minimum(np.rint(values[..., :3] * (65535 / alpha)), 65535)
    return values


def shallow(image: Image.Image) -> np.ndarray:
    """What Pillow keeps whole: [height, width, 1 to 4], uint8, or uint16 for grey of 16 bit.

    Raises:
      UserError: it holds more than 16 bits; the sentence lacks its subject.
    """
    if image.mode == "F":
        raise UserError("holds floating-point pixels; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise UserError("holds 32-bit pixels; save it with 8 or 16 bits")
        return values.astype(np.uint16)[..., np.newaxis]
    transparent = image.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in image.info
    grey = image.mode in ("1", "L", "LA", "La")
    if image.mode in ("La", "RGBa"):
        image = image.convert("RGBA")
        if grey:
            image = image.convert("LA")
    elif transparent and not grey:
        image = image.convert("RGBA")
    elif transparent:
        image = image.convert("LA")
    else:
        grey_palette = image.mode == "P" and _is_grey_palette(image)
        wanted = "L" if grey or grey_palette else "RGB"
        image = image if image.mode == wanted else image.convert(wanted)
    pixels = np.asarray(image)
    return pixels.reshape(pixels.shape[:2] + (-1,))


def _is_grey_palette(image: Image.Image) -> bool:
    """Whether every colour of a palette is a grey."""
    colours = image.convert("RGB").getcolors(256)
    return all(red == green == blue for _, (red, green, blue) in colours)


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Pixels turned and mirrored as the EXIF orientation asks for: 1 to 8, others do nothing."""
    if orientation in _TURNED:
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _oriented_size(image: Image.Image) -> Tuple[int, int]:
    if image.format == "TIFF":
        # Newer releases of Pillow turn the size of a TIFF themselves; the tags say what is stored.
        width, height = image.tag_v2[256], image.tag_v2[257]
        orientation = image.tag_v2.get(ORIENTATION, 1)
    else:
        width, height = image.size
        # Pillow decodes a whole PNG to look for EXIF data behind the pixels.
        known = image.format != "PNG" or "exif" in image.info
        orientation = image.getexif().get(ORIENTATION, 1) if known else 1
    return (width, height) if orientation in _TURNED else (height, width)


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


def _too_large(name: str, limit: int) -> str:
    return "%s announces more than %d pixels; raise --max_pixels if it is right" % (name, limit)


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:100]
