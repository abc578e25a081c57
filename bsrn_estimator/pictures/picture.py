"""Pictures with all that a result keeps: grey or colour, how deep, alpha, colour profile.

`decoding` says what a file becomes; several frames or pages are refused unless the first is asked
for, but for the previews in a JPEG. No EXIF data is kept but the orientation, which is applied.
"""

from typing import Iterator, NamedTuple, Optional

import numpy as np

from bsrn_estimator.pictures import decoding
from bsrn_estimator.pictures.filling import filled
from bsrn_estimator.pictures.imresize import enlarge

# Rec. ITU-R BT.601: weights of R, G, B in a grey value.
_GREY_WEIGHTS = np.array([0.299, 0.587, 0.114], np.float32)
# Bicubic enlargement looks at two pixels on each side.
_BICUBIC_MARGIN = 3
# White of each dtype, in which a picture may be stored.
_WHITE = {"uint8": 255, "uint16": 65535, "float32": 1}


class Picture(NamedTuple):
    """A decoded picture.

    Attributes:
      colours: uint8, uint16 or float32 in 0..1, [height, width, 1 or 3], grey or RGB. What is
        stored under full transparency nobody sees, and enlarging must not mix it in: `of_pixels`
        replaces it.
      alpha: the same dtype, [height, width, 1]; None where all is opaque and the file has none.
      icc_profile: the colour profile; None where there is none that fits.
    """

    colours: np.ndarray
    alpha: Optional[np.ndarray] = None
    icc_profile: Optional[bytes] = None

    @property
    def bits(self) -> int:
        """8 or 16; 32 of floating point."""
        return 8 * self.colours.dtype.itemsize

    def rgb(self) -> np.ndarray:
        """The picture as the network takes it: [height, width, 3] in 0..255, uint8 or float32."""
        colours = self.colours
        if self.bits == 16:
            colours = colours.astype(np.float32) / np.float32(257)
        elif self.bits == 32:
            colours = colours * np.float32(255)
        return np.broadcast_to(colours, colours.shape[:2] + (3,))

    def store(self, rgb: np.ndarray) -> np.ndarray:
        """Pixels of the network as this picture stores them, clipped, and whole numbers rounded.

        Args:
          rgb: float32 [height, width, 3] in 0..255.

        Returns:
          [height, width, 1 or 3], of the dtype of `colours`.
        """
        if self.colours.shape[2] == 1:
            rgb = (rgb @ _GREY_WEIGHTS)[..., np.newaxis]
        white = _WHITE[self.colours.dtype.name]
        return _stored(rgb if white == 255 else rgb * np.float32(white / 255), self.colours.dtype)


def _stored(values: np.ndarray, dtype) -> np.ndarray:
    """Values of a dtype's own range, as that holds them."""
    white = _WHITE[np.dtype(dtype).name]
    stored = np.rint(values) if white > 1 else np.array(values)
    return np.clip(stored, 0, white, out=stored).astype(dtype, copy=False)


def read_picture(
    source: decoding.Source,
    max_pixels: int = decoding.MAX_PIXELS,
    name: Optional[str] = None,
    first_frame: bool = False,
) -> Picture:
    """Decodes a picture. Under full transparency it gets colours that go on from what is visible.

    Args:
      source: path of a regular file, or the file's bytes.
      max_pixels: the most pixels that its header may announce.
      name: what messages call the picture; by default the path.
      first_frame: takes the first of several frames or pages instead of refusing them.

    Raises:
      UserError: it cannot be read, is too large, damaged, or has several frames.
    """
    return of_pixels(decoding.decode(source, max_pixels, name, several=first_frame))


def of_pixels(decoded: decoding.Decoded) -> Picture:
    """The picture of pixels; its colours go on under full transparency, see `filling`.

    Args:
      decoded: its pixels may be float32 in 0..1 too.
    """
    pixels, profile = decoded
    channels = 3 if pixels.shape[2] > 2 else 1
    if pixels.shape[2] == channels:
        return Picture(pixels, None, profile)
    colours, alpha = pixels[..., :channels], pixels[..., channels:]
    return Picture(filled(colours, alpha[..., 0] > 0), alpha, profile)


def enlarged_rows(pixels: np.ndarray, scale: int, begin: int, end: int) -> np.ndarray:
    """Rows of the bicubic enlargement (MATLAB's) of a picture, without making all of it.

    Args:
      pixels: uint8, uint16 or float32 in 0..1, [height, width, channels].
      scale: the factor.
      begin: first LR row.
      end: the LR row after the last.

    Returns:
      The same dtype, [scale * (end - begin), scale * width, channels].
    """
    first = max(begin - _BICUBIC_MARGIN, 0)
    part = pixels[first : end + _BICUBIC_MARGIN]
    if part.dtype == np.uint8:
        enlarged = enlarge(part, scale)
    else:
        enlarged = _stored(enlarge(part.astype(np.float64), scale), part.dtype)
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


def to_uint8(picture: np.ndarray) -> np.ndarray:
    """Rounds and clips a picture in 0..255."""
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)
