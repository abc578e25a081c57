"""Picture files with all that a result keeps: grey or colour, 8 or 16 bit, alpha, colour profile.

grey, black and white    one channel
palette                  its colours; one channel where all of them are grey
16 bit                   kept
alpha, transparent index kept, beside the colours
ICC profile              kept where it describes the channels that are kept
EXIF orientation         applied; no other EXIF data is kept
CMYK, YCbCr, Lab         converted to RGB by Pillow
several frames or pages  refused (but for the previews in a JPEG)
"""

from typing import Iterator, NamedTuple, Optional

import numpy as np
from PIL import Image

from bsrn_estimator.errors import UserError
from data_tools import pictures as data_pictures
from data_tools.imresize import enlarge

_ORIENTATION = 0x0112
_PROFILE_SPACES = {1: b"GRAY", 3: b"RGB "}
# Rec. ITU-R BT.601: weights of R, G, B in a grey value.
_GREY_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)
# Bicubic enlargement looks at two pixels on each side.
_BICUBIC_MARGIN = 3


class Picture(NamedTuple):
    """A decoded picture.

    Attributes:
      colours: uint8 or uint16 [height, width, 1 or 3], grey or RGB.
      alpha: the same dtype, [height, width, 1]; None where all is opaque and the file has none.
      icc_profile: the colour profile; None where there is none that fits.
    """

    colours: np.ndarray
    alpha: Optional[np.ndarray] = None
    icc_profile: Optional[bytes] = None

    @property
    def bits(self) -> int:
        """8 or 16."""
        return 8 * self.colours.dtype.itemsize

    def rgb(self) -> np.ndarray:
        """The picture as the network takes it: [height, width, 3] in 0..255, uint8 or float32."""
        colours = self.colours
        if self.bits == 16:
            colours = colours.astype(np.float32) / np.float32(257)
        return np.broadcast_to(colours, colours.shape[:2] + (3,))

    def store(self, rgb: np.ndarray) -> np.ndarray:
        """Pixels of the network as this picture stores them, rounded and clipped.

        Args:
          rgb: float32 [height, width, 3] in 0..255.

        Returns:
          [height, width, 1 or 3], of the dtype of `colours`.
        """
        if self.colours.shape[2] == 1:
            rgb = (rgb @ _GREY_WEIGHTS)[..., np.newaxis]
        return _rounded(rgb * (257 if self.bits == 16 else 1), self.colours.dtype)


def _rounded(values: np.ndarray, dtype) -> np.ndarray:
    return np.clip(np.rint(values), 0, np.iinfo(dtype).max).astype(dtype)


def read(path: str, max_pixels: int = data_pictures.MAX_PIXELS) -> Picture:
    """Decodes a picture.

    Args:
      path: a regular file.
      max_pixels: the most pixels that its header may announce.

    Raises:
      UserError: it cannot be read, is too large, damaged, or has several frames.
    """
    name = data_pictures.printable(path)
    with data_pictures.open_checked(path, max_pixels) as image:
        try:
            _refuse_frames(image)
            return _decoded(image, path)
        except UserError as error:
            raise UserError("%s %s" % (name, error)) from None
        except MemoryError:
            raise
        except Exception as error:  # a hostile file makes Pillow raise nearly anything
            reason = (str(error).splitlines() or [type(error).__name__])[0][:100]
            raise UserError(
                "%s cannot be decoded, it is damaged or cut short (%s)" % (name, reason)
            ) from None


def _refuse_frames(image: Image.Image) -> None:
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise UserError("is animated or has pages (%d frames); give it as single pictures" % frames)


def _decoded(image: Image.Image, path: str) -> Picture:
    stored = str(image.tile[0][3]) if image.tile else ""  # such as "RGB;16B"
    deep = "16" in stored and image.mode in ("RGB", "RGBA", "LA")
    is_tiff = image.format == "TIFF"
    orientation = image.tag_v2.get(_ORIENTATION, 1) if is_tiff else None
    image.load()  # before any other decoder: Pillow refuses a picture that is cut short
    profile = image.info.get("icc_profile")
    if deep:
        pixels = _sixteen_bits(path, "LA" if stored.startswith("LA") else image.mode)
    else:
        pixels = _shallow(image)
    if not is_tiff:
        orientation = image.getexif().get(_ORIENTATION, 1)
    elif not deep:
        orientation = 1  # Pillow has turned it
    pixels = np.ascontiguousarray(_turned(pixels, orientation))
    channels = 3 if pixels.shape[2] > 2 else 1
    alpha = pixels[..., channels:] if pixels.shape[2] > channels else None
    if profile and profile[16:20] != _PROFILE_SPACES[channels]:
        profile = None
    return Picture(pixels[..., :channels], alpha, profile)


def _sixteen_bits(path: str, mode: str) -> np.ndarray:
    """16-bit colour, of which Pillow would keep half: uint16 [height, width, 2 to 4]."""
    import cv2  # slow to import and seldom needed

    with open(path, "rb") as file:
        content = file.read()
    values = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED)
    if values is None or values.dtype != np.uint16 or values.ndim != 3:
        raise UserError("holds 16-bit pixels in a form that is not supported")
    channels = {"LA": [0, -1], "RGB": [2, 1, 0], "RGBA": [2, 1, 0, 3]}[mode]
    return values[..., channels]


def _shallow(image: Image.Image) -> np.ndarray:
    """What Pillow keeps whole: [height, width, 1 to 4], uint8, or uint16 for grey of 16 bit."""
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
        image = image.convert("L" if grey or grey_palette else "RGB")
    pixels = np.asarray(image)
    return pixels.reshape(pixels.shape[:2] + (-1,))


def _is_grey_palette(image: Image.Image) -> bool:
    """Whether every colour of a palette is a grey."""
    colours = image.convert("RGB").getcolors(256)
    return all(red == green == blue for _, (red, green, blue) in colours)


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undoes an EXIF orientation: 1 to 8; anything else is left as it is."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def enlarged_rows(pixels: np.ndarray, scale: int, begin: int, end: int) -> np.ndarray:
    """Rows of the bicubic enlargement (MATLAB's) of a picture, without making all of it.

    Args:
      pixels: uint8 or uint16 [height, width, channels].
      scale: the factor.
      begin: first LR row.
      end: the LR row after the last.

    Returns:
      The same dtype, [scale * (end - begin), scale * width, channels].
    """
    first = max(begin - _BICUBIC_MARGIN, 0)
    part = pixels[first : end + _BICUBIC_MARGIN]
    if part.dtype == np.uint16:
        enlarged = _rounded(enlarge(part.astype(np.float64), scale), np.uint16)
    else:
        enlarged = enlarge(part, scale)
    return enlarged[scale * (begin - first) : scale * (end - first)]


def enlarged_bands(pixels: np.ndarray, scale: int, rows: int = 64) -> Iterator[np.ndarray]:
    """The bicubic enlargement from top to bottom, `rows` LR rows at a time."""
    for begin in range(0, len(pixels), rows):
        yield enlarged_rows(pixels, scale, begin, min(begin + rows, len(pixels)))


def with_alpha(
    colours: np.ndarray, picture: Picture, scale: int, begin: int, end: int
) -> np.ndarray:
    """HR rows of colours with the alpha of a picture behind them, enlarged bicubically.

    Args:
      colours: [scale * (end - begin), scale * width, 1 or 3].
      picture: where they come from.
      scale: the factor.
      begin: first LR row.
      end: the LR row after the last.

    Returns:
      `colours`, with one channel more if the picture has alpha.
    """
    if picture.alpha is None:
        return colours
    return np.concatenate([colours, enlarged_rows(picture.alpha, scale, begin, end)], axis=2)
