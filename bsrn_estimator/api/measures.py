"""Measures of pictures, and MATLAB's bicubic, for programs: `bsrn_estimator.psnr` and so on.

The defaults are the protocol of docs/evaluation.md. Nothing here needs TensorFlow.

A picture is an array of numpy, uint8, uint16, or float32 or float64 in 0..1, [height, width] or
[height, width, 1, 3 or 4], in the order RGB; or one of Pillow; or a path. Measures are of 8 bits,
so deeper pictures are rounded to them, and alpha is left out.
"""

import fractions
import os
from typing import Optional, Tuple, TypeVar, Union

import numpy as np
from PIL import Image

from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation import metrics
from bsrn_estimator.evaluation import uiqm as underwater
from bsrn_estimator.evaluation.grey import BY_FILE
from bsrn_estimator.pictures import given
from bsrn_estimator.pictures import imresize as matlab
from bsrn_estimator.pictures.given import Source
from bsrn_estimator.pictures.picture import read_picture, to_uint8

_Picture = TypeVar("_Picture", np.ndarray, Image.Image)

# Pillow's modes whose channels are numbers that can be averaged.
_MODES = ("L", "LA", "RGB", "RGBA", "I;16")
_DTYPES = ("uint8", "uint16", "float32", "float64")


def psnr(
    hr: Source,
    picture: Source,
    scale: int,
    shave: Optional[int] = None,
    channels: str = "y",
    grey: str = BY_FILE,
) -> float:
    """Peak signal-to-noise ratio of a result, in dB; higher is better.

    20 log10(255 / RMSE) over all pixels, as papers on super-resolution state it: on Y of BT.601,
    studio range, not rounded, a border as wide as the scale left out.

    Args:
      hr: the true picture: an array, one of Pillow, or a path; what lies beyond the size of
        `picture` is left out.
      picture: the result.
      scale: the factor by which it was enlarged.
      shave: pixels left out along each border; by default `scale`.
      channels: "y"; or "rgb", the mean over the three.
      grey: what Y of a grey picture is: "file", as it is; "studio", of studio range, as BasicSR.

    Returns:
      The value; inf for equal pictures, nan where nothing is left inside of the border.

    Raises:
      UserError: something is no picture, `hr` is smaller than `picture`, or a setting is unknown.
    """
    border = _border(scale, shave)
    pictures = _visible(hr, "the true picture"), _visible(picture, "the result")
    try:
        return metrics.psnr(pictures[0], pictures[1], border, channels, grey)
    except ValueError as error:
        raise UserError(str(error)) from None


def ssim(
    hr: Source,
    picture: Source,
    scale: int,
    shave: Optional[int] = None,
    grey: str = BY_FILE,
) -> float:
    """Mean structural similarity of Y of a result; 1 for equal pictures.

    Wang, Bovik, Sheikh, Simoncelli (2004), with a Gaussian window of 11x11 and deviation 1.5, at
    the places where all of it fits.

    Args:
      hr: see `psnr`, as for the rest.
      picture: the result.
      scale: the factor by which it was enlarged.
      shave: pixels left out along each border; by default `scale`.
      grey: "file" or "studio".

    Returns:
      The value; nan where no window fits.

    Raises:
      UserError: see `psnr`.
    """
    border = _border(scale, shave)
    pictures = _visible(hr, "the true picture"), _visible(picture, "the result")
    try:
        return metrics.ssim(pictures[0], pictures[1], border, grey)
    except ValueError as error:
        raise UserError(str(error)) from None


def uiqm(picture: Source, blue_weight: float = underwater.BLUE_WEIGHT) -> float:
    """The underwater image quality measure, for which no true picture is needed; higher is better.

    Panetta, Gao, Agaian (2016), with the two changes of SRDRM (arXiv:1909.09437).

    Args:
      picture: an array, one of Pillow, or a path; a grey one has its value in all three channels.
      blue_weight: of the sharpness of blue: 0.114, that of luma; 0.144 compares with the code of
        SRDRM.

    Returns:
      The value; nan for a picture smaller than 10x10.

    Raises:
      UserError: it is no picture.
    """
    seen = _visible(picture, "a picture")
    return underwater.uiqm(np.broadcast_to(seen, seen.shape[:2] + (3,)), blue_weight)


def imresize(
    picture: _Picture,
    scale: Union[float, fractions.Fraction],
    output_shape: Optional[Tuple[int, int]] = None,
) -> _Picture:
    """Resizes a picture as MATLAB's `imresize(picture, scale, "bicubic")`.

    The LR pictures of DIV2K and of the benchmark sets were made so, with antialiasing where it
    shrinks. uint8 is MATLAB's to the last bit.

    Args:
      picture: an array [height, width] or [height, width, channels] of uint8, uint16, float32 or
        float64, the last two of any range; or a picture of Pillow of the mode L, LA, RGB, RGBA or
        I;16.
      scale: the factor for both sides: 2, 1 / 3 or Fraction(1, 3).
      output_shape: height and width of the result; by default each side times `scale`, rounded up.

    Returns:
      The resized picture, of the same kind, dtype and mode. Whole numbers are rounded and clipped.

    Raises:
      UserError: it is no picture, or the scale is not above 0 and finite.
    """
    is_image = isinstance(picture, Image.Image)
    if is_image and picture.mode not in _MODES:
        raise UserError(
            "a picture of Pillow's mode %s is not resized; convert it to RGB first" % picture.mode
        )
    pixels = np.asarray(picture) if is_image else picture
    if not isinstance(pixels, np.ndarray) or pixels.dtype.name not in _DTYPES:
        raise UserError(
            "a picture to resize is an array of %s, or one of Pillow, not %s"
            % (" or ".join(_DTYPES), getattr(pixels, "dtype", type(picture).__name__))
        )
    if pixels.ndim not in (2, 3) or not pixels.size:
        raise UserError(
            "an array %s is no picture; give [height, width], or with channels behind them"
            % list(pixels.shape)
        )
    shape = None if output_shape is None else tuple(output_shape)
    if shape is not None and (len(shape) != 2 or min(shape) < 1):
        raise UserError("output_shape is height and width, at least 1, not %s" % (shape,))
    values = pixels.astype(np.float64) if pixels.dtype == np.uint16 else pixels
    try:
        resized = matlab.imresize(values, scale, shape)
    except (ValueError, OverflowError):
        raise UserError(
            "a picture cannot be resized by %s; give a factor above 0" % scale
        ) from None
    if pixels.dtype == np.uint16:
        resized = np.clip(np.floor(resized + 0.5), 0, 65535).astype(np.uint16)
    return Image.fromarray(resized) if is_image else resized


def _border(scale: int, shave: Optional[int]) -> int:
    for name, value, least in (("scale", scale, 1), ("shave", shave, 0)):
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if value is not None and not (whole and value >= least):
            raise UserError(
                "%s is a whole number of at least %d, not %s" % (name, least, repr(value)[:40])
            )
    return int(scale if shave is None else shave)


def _visible(source: Source, name: str) -> np.ndarray:
    """What is seen of a picture: uint8 [height, width, 1 or 3]."""
    try:
        if isinstance(source, (str, os.PathLike)):
            picture = read_picture(source)
        else:
            picture = given.take(source).picture
    except UserError as error:
        raise UserError("%s: %s" % (name, error)) from None
    # Sums depend on the order in memory, in the last digit.
    return np.ascontiguousarray(to_uint8(picture.rgb())[..., : picture.colours.shape[2]])
