"""Pictures that a program gives, as arrays, as Pillow has them, or as files; and results like them.

an array              of the same dtype, number of axes, channels and order of colours
a picture of Pillow   of the same mode, where results have one: 1 becomes L; P, CMYK and other
                      spaces RGB or with alpha RGBA, as in the files that predict writes
a path                a picture of Pillow
"""

import functools
import os
from typing import Any, Callable, List, NamedTuple, Optional, Union

import numpy as np
from PIL import Image

from bsrn_estimator.errors import UserError, printable
from bsrn_estimator.pictures import compression, decoding
from bsrn_estimator.pictures.picture import Picture, of_pixels, read_picture

Source = Union[np.ndarray, Image.Image, str, "os.PathLike[str]"]

_DTYPES = ("uint8", "uint16", "float32", "float64")
# What rounding may have put beyond 0 and 1.
_TOLERANCE = 1e-5
# Grey of 16 bits, by Pillow's modes; others come back as I;16.
_GREY_DTYPES = {"I": "int32", "I;16B": ">u2"}
_LOSSY_FORMATS = ("JPEG", "MPO")


class Given(NamedTuple):
    """A picture that a program gives.

    Attributes:
      picture: what it shows.
      is_lossy: whether it is known to have been a JPEG, or if a file a lossy WebP.
      result: from [height, width, channels] as `picture` stores its pixels, to what is given back.
    """

    picture: Picture
    is_lossy: bool
    result: Callable[[np.ndarray], Any]


def take(source: Source, bgr: bool = False, max_pixels: int = decoding.MAX_PIXELS) -> Given:
    """The picture that a program gives.

    Args:
      source: an array, uint8, uint16, or float32 or float64 in 0..1, [height, width] or [height,
        width, 1, 3 or 4]; a picture of Pillow; or a path.
      bgr: the colours of an array, and of its result, are in the order of OpenCV.
      max_pixels: the most pixels that the header of a file may announce.

    Raises:
      UserError: it is no picture, or one that cannot be read or given back.
    """
    if isinstance(source, np.ndarray):
        return _of_array(source, bgr)
    if bgr:
        raise UserError("bgr=True is for arrays; files and pictures of Pillow know their order")
    if isinstance(source, Image.Image):
        return _of_image(source)
    if isinstance(source, (str, os.PathLike)):
        return _of_file(os.fspath(source), max_pixels)
    raise UserError(
        "a picture is an array of numpy, a picture of Pillow or a path, not %s"
        % type(source).__name__
    )


def _of_array(array: np.ndarray, bgr: bool) -> Given:
    channels = 1 if array.ndim == 2 else array.shape[-1]
    if array.ndim not in (2, 3) or channels not in (1, 3, 4) or not array.size:
        raise UserError(
            "an array %s is no picture; give [height, width], or with 1, 3 or 4 channels behind "
            "them" % list(array.shape)
        )
    if array.dtype.name not in _DTYPES:
        raise UserError(
            "an array of %s is no picture; give uint8, uint16, or float32 or float64 from 0 to 1"
            % array.dtype.name
        )
    pixels = array.reshape(array.shape[:2] + (channels,))
    order = [2, 1, 0, 3][:channels] if bgr and channels > 1 else None
    if order:
        pixels = pixels[..., order]
    if array.dtype.kind == "f":
        pixels = _in_range(pixels)
    pixels = np.ascontiguousarray(pixels, pixels.dtype.newbyteorder("="))
    result = functools.partial(_to_array, like=array, order=order)
    return Given(of_pixels(decoding.Decoded(pixels, None)), False, result)


def _in_range(pixels: np.ndarray) -> np.ndarray:
    """float32 in 0..1."""
    least, most = pixels.min(), pixels.max()
    if not (least >= -_TOLERANCE and most <= 1 + _TOLERANCE):  # so it is for nan
        raise UserError(
            "an array of %s holds values from %g to %g, and floating point is taken from 0 to 1; "
            "divide it by its white, or give uint8" % (pixels.dtype.name, least, most)
        )
    return np.clip(pixels, 0, 1).astype(np.float32)


def _to_array(pixels: np.ndarray, like: np.ndarray, order: Optional[List[int]]) -> np.ndarray:
    if order:
        pixels = np.ascontiguousarray(pixels[..., order])
    dtype = like.dtype.newbyteorder("=")
    return (pixels[..., 0] if like.ndim == 2 else pixels).astype(dtype, copy=False)


def _of_image(image: Image.Image) -> Given:
    if not image.width * image.height:
        raise UserError("the picture has no pixels")
    try:
        image.load()
        # Pillow turns a TIFF itself.
        tag = 1 if image.format == "TIFF" else image.getexif().get(decoding.ORIENTATION, 1)
        profile = image.info.get("icc_profile")
        picture = of_pixels(decoding.upright(decoding.shallow(image), tag, profile))
    except UserError as error:
        raise UserError("the picture %s" % error) from None
    except MemoryError:
        raise
    except Exception as error:  # a damaged file makes Pillow raise nearly anything
        raise UserError("the picture cannot be decoded (%s)" % str(error)[:100]) from None
    result = functools.partial(_to_image, mode=image.mode, profile=picture.icc_profile)
    return Given(picture, image.format in _LOSSY_FORMATS, result)


def _of_file(path: str, max_pixels: int) -> Given:
    picture = read_picture(path, max_pixels)
    if picture.bits == 16 and (picture.colours.shape[2] > 1 or picture.alpha is not None):
        raise UserError(
            "%s holds 16 bits of colour or alpha, which pictures of Pillow do not; take "
            "upscale_files, or read it as an array" % printable(path)
        )
    result = functools.partial(_to_image, mode="", profile=picture.icc_profile)
    return Given(picture, compression.is_lossy(path), result)


def _to_image(pixels: np.ndarray, mode: str, profile: Optional[bytes]) -> Image.Image:
    if pixels.dtype == np.uint16:
        pixels = pixels.astype(_GREY_DTYPES.get(mode, "<u2"))
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    if profile:
        image.info["icc_profile"] = profile
    return image
