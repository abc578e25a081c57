"""The figures of `protocols`, of pictures as arrays."""

import io
import math
from typing import Any, Callable, Dict, Mapping, Sequence

import cv2
import numpy as np
from PIL import Image

from bsrn_estimator.evaluation import uiqm
from bsrn_estimator.evaluation.protocols import (
    PROTOCOLS,
    PSNR_LUMA,
    PSNR_RGB,
    ROUND,
    SSIM_COLUMN,
    SSIM_LUMA,
    SSIM_RGB,
    STRETCH,
    TRUNCATE,
    UIQM,
    figure,
)
from bsrn_estimator.pictures.stretch import PEAK, stretched

_JPEG_QUALITY = 75
_PSNR_OF_EQUAL = 100.0
_SIGMA, _RADIUS = 1.5, 6
_C1, _C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
# The side of the window whose values their unbiased variances count, whatever the filter's is.
_COUNTED = 5


def rounded(result: np.ndarray) -> np.ndarray:
    """Float values as bytes, to the nearest."""
    return np.clip(np.rint(result), 0, PEAK).astype(np.uint8)


def truncated(result: np.ndarray) -> np.ndarray:
    """Float values as bytes, rounded down."""
    return np.clip(result, 0, PEAK).astype(np.uint8)


_STORED: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    STRETCH: stretched,
    TRUNCATE: truncated,
    ROUND: rounded,
}


def measure(
    protocols: Sequence[str], hr: np.ndarray, lr: np.ndarray, results: Mapping[str, np.ndarray]
) -> Dict[str, float]:
    """The figures of one picture at one scale.

    Args:
      protocols: names of `PROTOCOLS`.
      hr: uint8 [H, W, 3], at least of the size of a result.
      lr: uint8 [h, w, 3].
      results: float [s * h, s * w, 3] in 0..255, by what they were computed from.

    Returns:
      The figures of each protocol, and those of bicubic, named by `figure`.
    """
    found: Dict[str, float] = {}
    of_bicubic: Dict[bool, Dict[str, float]] = {}
    for name in protocols:
        protocol = PROTOCOLS[name]
        result = _STORED[protocol.store](results[protocol.source])
        truth = hr[: result.shape[0], : result.shape[1]]
        own = compare(truth, filed(result, protocol.jpeg))
        if protocol.jpeg not in of_bicubic:
            plain = filed(bicubic(lr, result.shape[0] // lr.shape[0]), protocol.jpeg)
            of_bicubic[protocol.jpeg] = compare(truth, plain)
        found.update((figure(name, key), value) for key, value in own.items())
        found.update(
            (figure(name, key, True), value) for key, value in of_bicubic[protocol.jpeg].items()
        )
    return found


def bicubic(lr: np.ndarray, scale: int) -> np.ndarray:
    """Uint8 [h, w, 3] enlarged by Pillow: uint8 [scale * h, scale * w, 3]."""
    height, width = lr.shape[:2]
    size = (scale * width, scale * height)
    return np.asarray(Image.fromarray(lr).resize(size, Image.BICUBIC))


def filed(picture: np.ndarray, jpeg: bool) -> np.ndarray:
    """What a file of uint8 [height, width, 3] gives back: of a PNG the same, of a JPEG what
    quality 75 with chroma 4:2:0 leaves, which depends on the version of libjpeg a little."""
    if not jpeg:
        return picture
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "jpeg", quality=_JPEG_QUALITY)
    return np.asarray(Image.open(stream).convert("RGB"))


def compare(hr: np.ndarray, picture: np.ndarray) -> Dict[str, float]:
    """All of `protocols.NAMES` for two pictures uint8 [height, width, 3]; UIQM of the second."""
    lumas = [np.asarray(Image.fromarray(each).convert("L")) for each in (hr, picture)]
    channels = [ssim(hr[..., channel], picture[..., channel]) for channel in range(3)]
    return {
        PSNR_LUMA: psnr(*lumas),
        SSIM_LUMA: ssim(*lumas),
        SSIM_COLUMN: ssim(lumas[0][:, 0], lumas[1][:, 0]),
        PSNR_RGB: psnr(hr, picture),
        SSIM_RGB: float(np.mean(channels)),
        UIQM: uiqm.uiqm(picture, uiqm.SRDRM_BLUE_WEIGHT),
    }


def psnr(hr: np.ndarray, picture: np.ndarray) -> float:
    """20 log10(255 / RMSE) over all values, in dB; 100 for equal pictures, as their code has it."""
    square = float(np.mean(np.square(hr.astype(np.float64) - picture)))
    return _PSNR_OF_EQUAL if square == 0 else 20 * math.log10(PEAK / math.sqrt(square))


def ssim(hr: np.ndarray, picture: np.ndarray) -> float:
    """SSIM as their code has it: a Gaussian of deviation 1.5 and radius 6, mirrored at the borders,
    variances times n / (n - 1) for n = 5 to the number of dimensions, the mean over all places.

    Args:
      hr: uint8 [height, width], or one column [height].
      picture: likewise.
    """
    factor = _COUNTED**hr.ndim / (_COUNTED**hr.ndim - 1.0)
    truth, result = hr.astype(np.float64), picture.astype(np.float64)
    mean_a, mean_b = _smooth(truth), _smooth(result)
    squares = factor * (_smooth(truth * truth + result * result) - mean_a**2 - mean_b**2)
    product = factor * (_smooth(truth * result) - mean_a * mean_b)
    similarity = (2 * mean_a * mean_b + _C1) * (2 * product + _C2)
    return float(np.mean(similarity / ((mean_a**2 + mean_b**2 + _C1) * (squares + _C2))))


def _smooth(values: np.ndarray) -> np.ndarray:
    """Float64 [height, width] or [height] under the Gaussian, of the same shape."""
    taps = np.exp(-0.5 * (np.arange(-_RADIUS, _RADIUS + 1) / _SIGMA) ** 2)
    taps /= taps.sum()
    across = taps if values.ndim == 2 else np.ones(1)
    columns: Any = values if values.ndim == 2 else values[:, np.newaxis]
    smooth = cv2.sepFilter2D(columns, cv2.CV_64F, across, taps, borderType=cv2.BORDER_REFLECT)
    return smooth.reshape(values.shape)
