"""PSNR, SSIM and RMSE in numpy; `graph_metrics` has the same in the graph.

The protocol is that of the field: pictures are RGB of 8 bits; HR is cropped to the size of the
result; `shave` pixels are left out on each side; Y is that of BT.601, studio range, not rounded;
SSIM takes an 11x11 Gaussian window of deviation 1.5 and only places where all of it fits.

Y of a grey picture depends on the rule, see `grey`. By file, an HR of one channel is compared as it
is, with the luma of full range of a result that has three: of equal channels that is their value.

Two answers are not finite: the PSNR of equal pictures is inf, and a value for which no pixel is
left (the shave eats the picture, or it is smaller than the window of SSIM) is nan. Means over
pictures leave both out: `mean_of_finite`.
"""

from typing import Dict, Iterable, Optional

import numpy as np

from bsrn_estimator.evaluation.grey import BY_FILE, RULES

PEAK = 255.0
# Rec. ITU-R BT.601: weights of R, G, B in 0..255 for Y in 16..235.
_Y_WEIGHTS = (65.481 / 255.0, 128.553 / 255.0, 24.966 / 255.0)
Y_OFFSET = 16.0
FULL_RANGE = 255.0 / 219.0
# Wang, Bovik, Sheikh, Simoncelli: Image quality assessment: from error visibility to structural
# similarity, IEEE Transactions on Image Processing 13 (4), 2004.
WINDOW = 11
_SIGMA = 1.5
_C1 = (0.01 * PEAK) ** 2
_C2 = (0.03 * PEAK) ** 2
# Taken off before the squares are averaged: variances do not change, float32 keeps two more bits.
MIDDLE = 128.0

PSNR_Y, SSIM_Y, PSNR_RGB, RMSE_RGB = "psnr_y", "ssim_y", "psnr_rgb", "rmse_rgb"
NAMES = (PSNR_Y, SSIM_Y, PSNR_RGB, RMSE_RGB)


def window_taps() -> np.ndarray:
    """The window of SSIM along one axis: float64 [11], summing to 1."""
    distance = np.arange(WINDOW) - WINDOW // 2
    taps = np.exp(-0.5 * (distance / _SIGMA) ** 2)
    return taps / taps.sum()


# What follows until the next heading is operators and slices only, and serves tensors as well, in
# `graph_metrics`.


def weighted(rgb):
    """R, G, B weighted into Y without its offset: [..., 3] -> [...]."""
    red, green, blue = _Y_WEIGHTS
    return red * rgb[..., 0] + green * rgb[..., 1] + blue * rgb[..., 2]


def _inner(picture, shave: int, height, width):
    """`picture` [>= height, >= width, ...] cropped to that size, then without its border."""
    return picture[shave : height - shave, shave : width - shave]


def similarity(mean_a, mean_b, mean_squares, mean_product):
    """SSIM of each place, from the windowed means of a, b, aa + bb and ab, each less the middle."""
    # The variances and the covariance do not depend on the middle, the luminance term does.
    variances = mean_squares - mean_a * mean_a - mean_b * mean_b
    covariance = mean_product - mean_a * mean_b
    mean_a, mean_b = mean_a + MIDDLE, mean_b + MIDDLE
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a * mean_a + mean_b * mean_b + _C1)
    return luminance * (2 * covariance + _C2) / (variances + _C2)


# In numpy, float64.


def y_of(picture: np.ndarray, full_range: bool = False) -> np.ndarray:
    """The luma of a picture, not rounded.

    Args:
      picture: uint8 [height, width, 3], RGB; or [height, width] or [height, width, 1], a grey
        picture, which has this value in all three.
      full_range: luma in 0..255, which leaves grey values as they are, rather than in 16..235.

    Returns:
      float64 [height, width]: 16 + (65.481 R + 128.553 G + 24.966 B) / 255, or in full range
      0.299 R + 0.587 G + 0.114 B.
    """
    values = _checked(picture).astype(np.float64)
    if full_range and values.shape[-1] == 1:
        return values[..., 0]
    luma = weighted(np.broadcast_to(values, values.shape[:2] + (3,)))
    return FULL_RANGE * luma if full_range else Y_OFFSET + luma


def rmse(
    hr: np.ndarray,
    picture: np.ndarray,
    shave: int = 0,
    channels: str = "rgb",
    grey: str = BY_FILE,
) -> float:
    """Root of the mean squared difference, in grey levels of 0..255.

    Args:
      hr: the ground truth, uint8 [height, width], [height, width, 1] or [height, width, 3]; rows
        and columns beyond the size of `picture` are left out. Its channels are those of the file.
      picture: the result, uint8, likewise; one channel stands for three equal ones.
      shave: pixels left out on each side.
      channels: "rgb", the mean over all; or "y".
      grey: what Y of a grey picture is, one of `grey.RULES`.

    Returns:
      The value; nan where the shave leaves no pixel.

    Raises:
      ValueError: a picture is not uint8 (see `picture.to_uint8`), `hr` is smaller than `picture`,
        `shave` is negative, or there is no such rule.
    """
    hr, picture = _prepared(hr, picture, shave, channels, grey)
    if not hr.size:
        return float("nan")
    return float(np.sqrt(np.mean(np.square(hr - picture))))


def psnr(
    hr: np.ndarray,
    picture: np.ndarray,
    shave: int = 0,
    channels: str = "y",
    grey: str = BY_FILE,
) -> float:
    """Peak signal-to-noise ratio, 20 log10(255 / rmse), in dB; inf where there is no difference.

    Takes and raises what `rmse` does.
    """
    error = rmse(hr, picture, shave, channels, grey)
    return float("inf") if error == 0 else float(20 * np.log10(PEAK / error))


def ssim(hr: np.ndarray, picture: np.ndarray, shave: int = 0, grey: str = BY_FILE) -> float:
    """Mean structural similarity of Y; nan where not one 11x11 window fits.

    Takes and raises what `rmse` does.
    """
    hr, picture = _prepared(hr, picture, shave, "y", grey)
    if min(hr.shape) < WINDOW:
        return float("nan")
    hr, picture = hr - MIDDLE, picture - MIDDLE
    means = [_windowed(x) for x in (hr, picture, hr * hr + picture * picture, hr * picture)]
    return float(np.mean(similarity(*means)))


def compare(
    hr: np.ndarray, picture: np.ndarray, shave: int, grey: str = BY_FILE
) -> Dict[str, float]:
    """All of `NAMES` for one picture; takes and raises what `rmse` does."""
    return {
        PSNR_Y: psnr(hr, picture, shave, "y", grey),
        SSIM_Y: ssim(hr, picture, shave, grey),
        PSNR_RGB: psnr(hr, picture, shave, "rgb"),
        RMSE_RGB: rmse(hr, picture, shave, "rgb"),
    }


def mean_of_finite(values: Iterable[Optional[float]]) -> float:
    """The mean of what is finite (None counts as not), and nan where nothing is."""
    finite = [value for value in values if value is not None and np.isfinite(value)]
    return float(np.mean(finite)) if finite else float("nan")


def _checked(picture: np.ndarray) -> np.ndarray:
    """`picture` as [height, width, 1 or 3]."""
    picture = np.asarray(picture)
    if picture.dtype != np.uint8:
        raise ValueError(
            "metrics take uint8 pictures, not %s; see picture.to_uint8" % picture.dtype
        )
    if picture.ndim == 2:
        picture = picture[..., np.newaxis]
    if picture.ndim != 3 or picture.shape[-1] not in (1, 3):
        raise ValueError("a picture has 1 or 3 channels; its shape is %s" % (picture.shape,))
    return picture


def _prepared(hr, picture, shave: int, channels: str, grey: str):
    """Both pictures as float64, aligned, shaved, and as Y where that is asked for."""
    hr, picture = _checked(hr), _checked(picture)
    height, width = picture.shape[:2]
    if hr.shape[0] < height or hr.shape[1] < width:
        raise ValueError("HR of shape %s cannot cover %s" % (hr.shape, picture.shape))
    if shave < 0:
        raise ValueError("shave must be at least 0, not %d" % shave)
    if channels not in ("rgb", "y"):
        raise ValueError("channels are rgb or y, not %s" % channels)
    if grey not in RULES:
        raise ValueError("grey is one of %s, not %s" % (", ".join(RULES), grey))
    if 2 * shave >= min(height, width):
        return np.zeros([0, 0]), np.zeros([0, 0])
    hr, picture = (_inner(x, shave, height, width) for x in (hr, picture))
    if channels == "y":
        full_range = grey == BY_FILE and hr.shape[2] == 1
        return y_of(hr, full_range), y_of(picture, full_range)
    return hr.astype(np.float64), picture.astype(np.float64)


def _windowed(values: np.ndarray) -> np.ndarray:
    """[height, width] -> [height - 10, width - 10], each the mean over the window."""
    for _ in range(2):
        size = values.shape[0] - WINDOW + 1
        values = sum(tap * values[i : i + size] for i, tap in enumerate(window_taps())).T
    return values
