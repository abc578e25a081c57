"""Picture files in request bodies: looked at before they are decoded, decoded, and encoded."""

import io
import warnings
from typing import Tuple

import numpy as np
from PIL import Image, UnidentifiedImageError

from bsrn_estimator.errors import UserError
from bsrn_estimator.serve.refusal import Refusal
from bsrn_estimator.serve.tiles import tiles_of
from data_tools import imresize
from data_tools.pictures import read_rgb

FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP")
# What a result can be sent as: the value of `format=`, Pillow's name and options, the media type.
ENCODINGS = {
    "png": ("PNG", {"compress_level": 4}, "image/png"),
    "jpeg": ("JPEG", {"quality": 95, "subsampling": 0}, "image/jpeg"),
    "webp": ("WEBP", {"lossless": True, "method": 2}, "image/webp"),
}
# Side of the tiles that bicubic enlargement works on, and the context that makes them exact.
_BICUBIC_TILE, _BICUBIC_OVERLAP = 256, 4


def look(body: bytes, max_pixels: int) -> Tuple[int, int]:
    """Height and width that a picture's header states; nothing is decoded.

    Args:
      body: a picture file.
      max_pixels: more pixels than that are refused.

    Raises:
      Refusal: 400, there is nothing; 415, it is no picture of these formats; 413, it has too many
        pixels; 422, its header is damaged, or it is animated.
    """
    if not body:
        raise Refusal(400, "The body is empty; send a picture file as the body.")
    try:
        with warnings.catch_warnings():
            # The bound below is stricter than the one that Pillow warns of.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(body), formats=FORMATS) as picture:
                width, height = picture.size
                _check_size(height, width, max_pixels)
                # Cameras put a small second picture in a JPEG; that is no animation.
                frames = 1 if picture.format in ("JPEG", "MPO") else getattr(picture, "n_frames", 1)
    except Refusal:
        raise
    except UnidentifiedImageError:
        raise Refusal(
            415, "The body is not a picture; send PNG, JPEG, BMP, TIFF or WebP."
        ) from None
    except Image.DecompressionBombError:
        raise Refusal(413, _too_large(max_pixels)) from None
    except Exception:  # Pillow's readers raise what they happen to meet in a damaged file
        raise Refusal(422, "The picture's header is damaged.") from None
    if frames > 1:
        raise Refusal(422, "The picture has %d frames; send a still one." % frames)
    return height, width


def _check_size(height: int, width: int, max_pixels: int) -> None:
    if height * width > max_pixels:
        raise Refusal(
            413,
            "The picture has %d x %d pixels; %s" % (width, height, _too_large(max_pixels)),
        )
    if height * width == 0:
        raise Refusal(422, "The picture has no pixels.")


def _too_large(max_pixels: int) -> str:
    return "at this scale %d pixels are the limit here." % max_pixels


def decode(body: bytes, max_pixels: int) -> np.ndarray:
    """The uint8 [height, width, 3] RGB picture in a file that `look` has let pass.

    Raises:
      Refusal: 422, the file is damaged or cut short.
    """
    try:
        return read_rgb(body, max_pixels=max_pixels)
    except UserError:
        raise Refusal(422, "The picture is damaged or cut short.") from None


def encode(picture: np.ndarray, encoding: str) -> bytes:
    """A file of a uint8 [height, width, 3] picture; `encoding` is a key of ENCODINGS.

    Raises:
      Refusal: 422, the format does not hold pictures of this size.
    """
    name, options, _ = ENCODINGS[encoding]
    file = io.BytesIO()
    try:
        Image.fromarray(picture).save(file, name, **options)
    except (OSError, ValueError):
        raise Refusal(
            422,
            "A result of %d x %d pixels does not fit in %s; ask for format=png."
            % (picture.shape[1], picture.shape[0], name),
        ) from None
    return file.getvalue()


def bicubic(lr: np.ndarray, scale: int) -> np.ndarray:
    """MATLAB's bicubic enlargement of a uint8 picture, tile by tile: the same numbers, less memory.

    Args:
      lr: uint8 [height, width, 3].
      scale: how many times as large.

    Returns:
      uint8 [scale * height, scale * width, 3].
    """
    height, width = lr.shape[:2]
    result = np.empty([scale * height, scale * width, 3], np.uint8)
    for tile in tiles_of(height, width, _BICUBIC_TILE, _BICUBIC_OVERLAP):
        tile.place(imresize.enlarge(tile.cut(lr), scale), result, scale)
    return result
