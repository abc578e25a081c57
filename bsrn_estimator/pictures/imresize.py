"""MATLAB's `imresize(..., "bicubic")`, to the last bit, in numpy.

The LR pictures of DIV2K and of the benchmark sets were made with it. The kernel is the cubic of
Keys (1981) with a = -0.5, stretched by the scale when it shrinks; pixels outside are mirrored, the
edge pixel repeated; height first, then width; uint8 is rounded half up and clipped after each of
the two passes.

Each pass is a matrix product with a banded matrix, cut into blocks so that the band fills most of
a block. For a whole factor the weights are fractions with one common denominator, so the product
is computed on whole numbers that the floating-point type holds exactly: no rounding error, and
the same result on any machine, whatever order its BLAS sums in.
"""

import fractions
import math
from typing import Optional, Tuple, Union

import numpy as np

_BLOCK = 32  # output rows of one matrix product: small enough that the band stays dense


def imresize(
    image: np.ndarray,
    scale: Union[float, fractions.Fraction],
    output_shape: Optional[Tuple[int, ...]] = None,
) -> np.ndarray:
    """Resizes a picture as MATLAB does.

    Args:
      image: [height, width] or [height, width, channels]; uint8 in 0..255, or float.
      scale: factor for both sides: `Fraction(1, 3)` or 1 / 3 shrinks to a third.
      output_shape: height and width of the result; by default each side times `scale`, rounded up.

    Returns:
      The resized picture, of the same dtype. uint8 is rounded and clipped after each pass, float
      is neither.

    Raises:
      ValueError: the picture is empty, of another rank or dtype, or the scale is not positive.
    """
    if image.ndim not in (2, 3) or 0 in image.shape:
        raise ValueError("a picture of shape %s cannot be resized" % (image.shape,))
    if image.dtype != np.uint8 and image.dtype.kind != "f":
        raise ValueError("a picture must be uint8 or float, not %s" % image.dtype)
    factor = fractions.Fraction(scale).limit_denominator(10000)
    if factor <= 0:
        raise ValueError("a picture cannot be resized by %s" % scale)
    if output_shape is None:
        output_shape = tuple(int(math.ceil(side * factor)) for side in image.shape[:2])
    planes = image if image.ndim == 3 else image[:, :, np.newaxis]
    for length in output_shape:
        # The pass works on the first axis and leaves it last but one: two passes restore the order.
        planes = _resize_first_axis(planes, factor, length).transpose(1, 0, 2)
    planes = np.ascontiguousarray(planes)
    return planes if image.ndim == 3 else planes[:, :, 0]


def shrink(image: np.ndarray, scale: int) -> np.ndarray:
    """The LR picture of an HR `image`: cropped to a multiple of `scale`, then shrunk by it."""
    height, width = (side // scale * scale for side in image.shape[:2])
    return imresize(image[:height, :width], fractions.Fraction(1, scale))


def enlarge(image: np.ndarray, scale: int) -> np.ndarray:
    """`image` with both sides `scale` times as long."""
    return imresize(image, fractions.Fraction(scale))


def _resize_first_axis(image: np.ndarray, factor: fractions.Fraction, length: int) -> np.ndarray:
    """One pass over axis 0 of a rank 3 picture, rounded and clipped where it is uint8."""
    size, rest = image.shape[0], image.shape[1:]
    rows = np.ascontiguousarray(image).reshape(size, -1)
    first, weights, denominator = _weights(factor, length)
    exact = image.dtype == np.uint8 and denominator * 255 * 1.5 < 2**24
    dtype = np.float32 if exact else np.float64
    result = np.empty((length, rows.shape[1]), image.dtype)
    for begin in range(0, length, _BLOCK):
        end = min(begin + _BLOCK, length)
        taps = first[begin:end, np.newaxis] + np.arange(weights.shape[1])
        taps = _mirror(taps, size)
        low, high = taps.min(), taps.max() + 1
        band = np.zeros((end - begin, high - low), dtype)
        # Several taps fall on one pixel at the edges: add, do not assign.
        np.add.at(band, (np.arange(end - begin)[:, np.newaxis], taps - low), weights[begin:end])
        block = band @ rows[low:high].astype(dtype)
        if image.dtype == np.uint8:
            block += denominator / 2.0
            block /= denominator
            result[begin:end] = np.clip(block, 0, 255, out=block)
        else:
            result[begin:end] = block / denominator
    return result.reshape((length,) + rest)


def _weights(factor: fractions.Fraction, length: int) -> Tuple[np.ndarray, np.ndarray, int]:
    """The taps of every output pixel along one axis.

    Returns:
      first: int [length], index of each output pixel's first tap, which may lie outside;
      weights: float64 [length, taps], whole numbers where `denominator` is not 1;
      denominator: what the weights of one output pixel sum to.
    """
    scale = float(factor)
    stretch = min(scale, 1.0)
    width = 4.0 / stretch
    centre = (np.arange(length) + 0.5) / scale - 0.5
    first = np.floor(centre - width / 2).astype(np.int64)
    taps = first[:, np.newaxis] + np.arange(int(math.ceil(width)) + 2)
    weights = stretch * _cubic(stretch * (centre[:, np.newaxis] - taps))
    weights /= weights.sum(axis=1, keepdims=True)
    if 1 not in (factor.numerator, factor.denominator):
        return first, weights, 1
    # Distances are multiples of 1 / 2n, the cubic halves their cubes, shrinking divides by n.
    n = max(factor.numerator, factor.denominator)
    denominator = 16 * n**3 * (n if scale < 1 else 1)
    return first, np.rint(weights * denominator), denominator


def _cubic(distance: np.ndarray) -> np.ndarray:
    """Keys' cubic convolution kernel, a = -0.5."""
    x = np.abs(distance)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x <= 1, near, np.where(x <= 2, far, 0.0))


def _mirror(index: np.ndarray, size: int) -> np.ndarray:
    """Indices reflected into 0..size-1, the edge repeated: -1 is 0, `size` is size - 1."""
    index = np.mod(index, 2 * size)
    return np.minimum(index, 2 * size - 1 - index)
