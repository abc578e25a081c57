"""PSNR, SSIM and RMSE, one definition for numpy and for the graph.

The protocol is that of the field: pictures are RGB of 8 bits; HR is cropped to the size of the
result; `shave` pixels are left out on each side; Y is that of BT.601, studio range, not rounded;
SSIM takes an 11x11 Gaussian window of deviation 1.5 and only places where all of it fits.

A picture whose HR is grey (three equal channels) is its own Y: the luma of full range is taken,
which of a grey value is that value.

Two answers are not finite: the PSNR of equal pictures is inf, and a value for which no pixel is
left (the shave eats the picture, or it is smaller than the window of SSIM) is nan. Means over
pictures leave both out: `mean_of_finite`.
"""

from typing import Dict, Iterable, Optional

import numpy as np

from bsrn_estimator.compat import tf

PEAK = 255.0
# Rec. ITU-R BT.601: weights of R, G, B in 0..255 for Y in 16..235.
_Y_WEIGHTS = (65.481 / 255.0, 128.553 / 255.0, 24.966 / 255.0)
_Y_OFFSET = 16.0
_FULL_RANGE = 255.0 / 219.0
# Wang, Bovik, Sheikh, Simoncelli: Image quality assessment: from error visibility to structural
# similarity, IEEE Transactions on Image Processing 13 (4), 2004.
WINDOW = 11
_SIGMA = 1.5
_C1 = (0.01 * PEAK) ** 2
_C2 = (0.03 * PEAK) ** 2
# Taken off before the squares are averaged: variances do not change, float32 keeps two more bits.
_MIDDLE = 128.0

PSNR_Y, SSIM_Y, PSNR_RGB, RMSE_RGB = "psnr_y", "ssim_y", "psnr_rgb", "rmse_rgb"
NAMES = (PSNR_Y, SSIM_Y, PSNR_RGB, RMSE_RGB)


def _taps() -> np.ndarray:
    """The window of SSIM along one axis: float64 [11], summing to 1."""
    distance = np.arange(WINDOW) - WINDOW // 2
    taps = np.exp(-0.5 * (distance / _SIGMA) ** 2)
    return taps / taps.sum()


# What follows until the next heading is operators and slices only, and serves arrays and tensors.


def _weighted(rgb):
    """R, G, B weighted into Y without its offset: [..., 3] -> [...]."""
    red, green, blue = _Y_WEIGHTS
    return red * rgb[..., 0] + green * rgb[..., 1] + blue * rgb[..., 2]


def _inner(picture, shave: int, height, width):
    """`picture` [>= height, >= width, ...] cropped to that size, then without its border."""
    return picture[shave : height - shave, shave : width - shave]


def _similarity(mean_a, mean_b, mean_squares, mean_product):
    """SSIM of each place, from the windowed means of a, b, aa + bb and ab, each less the middle."""
    # The variances and the covariance do not depend on the middle, the luminance term does.
    variances = mean_squares - mean_a * mean_a - mean_b * mean_b
    covariance = mean_product - mean_a * mean_b
    mean_a, mean_b = mean_a + _MIDDLE, mean_b + _MIDDLE
    luminance = (2 * mean_a * mean_b + _C1) / (mean_a * mean_a + mean_b * mean_b + _C1)
    return luminance * (2 * covariance + _C2) / (variances + _C2)


# In numpy, float64.


def quantise(picture: np.ndarray, peak: float = PEAK) -> np.ndarray:
    """A picture as it is stored: rounded and clipped.

    Args:
      picture: numbers of any shape, nominally in 0..`peak`; outside values are clipped.
      peak: 255, or 1 for pictures in 0..1.

    Returns:
      uint8 of the same shape. Halves go to the even neighbour, as np.round and tf.round do.

    Raises:
      ValueError: a value is not a number.
    """
    scaled = np.asarray(picture, np.float64) * (PEAK / peak)
    if np.isnan(scaled).any():
        raise ValueError("the picture holds values that are not numbers (nan)")
    return np.clip(np.round(scaled), 0, PEAK).astype(np.uint8)


def is_grey(picture: np.ndarray) -> bool:
    """Whether a picture [height, width] or [height, width, 1 or 3] holds no colour."""
    return picture.ndim == 2 or bool((picture == picture[..., :1]).all())


def y_of(picture: np.ndarray, grey: bool = False) -> np.ndarray:
    """The luma of a picture, not rounded.

    Args:
      picture: uint8 [height, width, 3], RGB; or [height, width] or [height, width, 1], grey.
      grey: takes the luma of full range of an RGB picture, 0..255; it is meant for the result for
        a grey HR, where it leaves three equal channels as they are.

    Returns:
      float64 [height, width]: 16 + (65.481 R + 128.553 G + 24.966 B) / 255 of an RGB picture, and
      a grey one as it is.
    """
    picture = _checked(picture)
    if picture.shape[-1] == 1:
        return picture[..., 0].astype(np.float64)
    weighted = _weighted(picture.astype(np.float64))
    return _FULL_RANGE * weighted if grey else _Y_OFFSET + weighted


def rmse(hr: np.ndarray, picture: np.ndarray, shave: int = 0, channels: str = "rgb") -> float:
    """Root of the mean squared difference, in grey levels of 0..255.

    Args:
      hr: the ground truth, uint8 [height, width], [height, width, 1] or [height, width, 3]; rows
        and columns beyond the size of `picture` are left out.
      picture: the result, uint8, of the same number of channels.
      shave: pixels left out on each side.
      channels: "rgb", the mean over all three; or "y", see `y_of`.

    Returns:
      The value; nan where the shave leaves no pixel.

    Raises:
      ValueError: a picture is not uint8 (see `quantise`), `hr` is smaller than `picture`, the
        channels differ, or `shave` is negative.
    """
    hr, picture = _prepared(hr, picture, shave, channels)
    if not hr.size:
        return float("nan")
    return float(np.sqrt(np.mean(np.square(hr - picture))))


def psnr(hr: np.ndarray, picture: np.ndarray, shave: int = 0, channels: str = "y") -> float:
    """Peak signal-to-noise ratio, 20 log10(255 / rmse), in dB; inf where there is no difference.

    Takes and raises what `rmse` does.
    """
    error = rmse(hr, picture, shave, channels)
    return float("inf") if error == 0 else float(20 * np.log10(PEAK / error))


def ssim(hr: np.ndarray, picture: np.ndarray, shave: int = 0) -> float:
    """Mean structural similarity of Y; nan where not one 11x11 window fits.

    Takes and raises what `rmse` does.
    """
    hr, picture = _prepared(hr, picture, shave, "y")
    if min(hr.shape) < WINDOW:
        return float("nan")
    hr, picture = hr - _MIDDLE, picture - _MIDDLE
    means = [_windowed(x) for x in (hr, picture, hr * hr + picture * picture, hr * picture)]
    return float(np.mean(_similarity(*means)))


def compare(hr: np.ndarray, picture: np.ndarray, shave: int) -> Dict[str, float]:
    """All of `NAMES` for one picture; takes and raises what `rmse` does."""
    return {
        PSNR_Y: psnr(hr, picture, shave, "y"),
        SSIM_Y: ssim(hr, picture, shave),
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
        raise ValueError("metrics take uint8 pictures, not %s; see quantise" % picture.dtype)
    if picture.ndim == 2:
        picture = picture[..., np.newaxis]
    if picture.ndim != 3 or picture.shape[-1] not in (1, 3):
        raise ValueError("a picture has 1 or 3 channels; its shape is %s" % (picture.shape,))
    return picture


def _prepared(hr, picture, shave: int, channels: str):
    """Both pictures as float64, aligned, shaved, and as Y where that is asked for."""
    hr, picture = _checked(hr), _checked(picture)
    height, width = picture.shape[:2]
    if hr.shape[0] < height or hr.shape[1] < width or hr.shape[2] != picture.shape[2]:
        raise ValueError("HR of shape %s cannot cover %s" % (hr.shape, picture.shape))
    if shave < 0:
        raise ValueError("shave must be at least 0, not %d" % shave)
    if channels not in ("rgb", "y"):
        raise ValueError("channels are rgb or y, not %s" % channels)
    grey = is_grey(hr)
    if 2 * shave >= min(height, width):
        return np.zeros([0, 0]), np.zeros([0, 0])
    hr, picture = (_inner(x, shave, height, width) for x in (hr, picture))
    if channels == "y":
        return y_of(hr, grey), y_of(picture, grey)
    return hr.astype(np.float64), picture.astype(np.float64)


def _windowed(values: np.ndarray) -> np.ndarray:
    """[height, width] -> [height - 10, width - 10], each the mean over the window."""
    for _ in range(2):
        size = values.shape[0] - WINDOW + 1
        values = sum(tap * values[i : i + size] for i, tap in enumerate(_taps())).T
    return values


# In the graph: float32 for every pixel, float64 for sums over a picture.


def graph_quantise(picture):
    """float32 of any shape -> float32 rounded (halves to even) and clipped to 0..255."""
    return tf.clip_by_value(tf.round(picture), 0.0, PEAK)


def graph_compare(hr, picture, shave: int) -> Dict:
    """`compare` as tensors.

    Args:
      hr: the ground truth, numeric [>= height, >= width, 3], whole numbers in 0..255.
      picture: the result, float [height, width, 3]; whole numbers, see `graph_quantise`.
      shave: pixels left out on each side.

    Returns:
      A float64 scalar under each of `NAMES`, those of `compare` to 1e-4 dB and 1e-5.
      A result larger than HR fails when it runs, with both sizes in the message.
    """
    with tf.name_scope("compare"):
        hr, picture = tf.cast(hr, tf.float32), tf.cast(picture, tf.float32)
        height, width = tf.shape(picture)[0], tf.shape(picture)[1]
        covers = tf.reduce_all(tf.shape(hr)[:2] >= tf.shape(picture)[:2])
        message = ["HR is smaller than the result:", tf.shape(hr), tf.shape(picture)]
        with tf.control_dependencies([tf.Assert(covers, message)]):
            is_grey = tf.reduce_all(tf.equal(hr, hr[..., :1]))
        # A slice whose end lies before its start is empty, but one whose end is negative is not.
        height, width = (tf.maximum(size, 2 * shave) for size in (height, width))
        hr, picture = (_inner(x, shave, height, width) for x in (hr, picture))
        gain = tf.where(is_grey, _FULL_RANGE, 1.0)
        offset = tf.where(is_grey, 0.0, _Y_OFFSET)
        hr_y, picture_y = (gain * _weighted(x) + offset for x in (hr, picture))
        difference = hr - picture
        error = _graph_mean_square(difference)
        return {
            PSNR_Y: _graph_psnr(_graph_mean_square(gain * _weighted(difference)[..., tf.newaxis])),
            SSIM_Y: _graph_ssim(hr_y, picture_y),
            PSNR_RGB: _graph_psnr(error),
            RMSE_RGB: tf.sqrt(error),
        }


def _graph_mean(values, axes):
    """The mean of float32 `values` in float64; `axes` are summed first; nan where it is empty."""
    total = tf.reduce_sum(tf.cast(tf.reduce_sum(values, axis=axes), tf.float64))
    return total / tf.cast(tf.size(values), tf.float64)


def _graph_mean_square(difference):
    return _graph_mean(tf.square(difference), [1, 2])


def _graph_psnr(mean_square):
    return (10 / np.log(10)) * tf.log(PEAK**2 / mean_square)


def _graph_ssim(hr, picture):
    """`ssim` of two float32 tensors [height, width], already shaved.

    The window is applied by sums of shifted slices: on one channel that is no slower than
    convolutions, and a GPU that rounds the factors of convolutions (TF32) does not spoil it.
    """
    hr, picture = hr - _MIDDLE, picture - _MIDDLE
    maps = tf.stack([hr, picture, hr * hr + picture * picture, hr * picture])
    maps = _graph_windowed(_graph_windowed(maps, 1), 2)
    return _graph_mean(_similarity(*tf.unstack(maps, num=4)), [1])


def _graph_windowed(values, axis: int):
    """[maps, height, width] -> the windowed mean along `axis`, 10 shorter, or empty."""
    size = tf.maximum(tf.shape(values)[axis] - WINDOW + 1, 0)

    def shifted(offset):
        start = tf.minimum(offset, tf.shape(values)[axis])
        lengths = [size if i == axis else -1 for i in range(3)]
        return tf.slice(values, [start if i == axis else 0 for i in range(3)], lengths)

    taps = [float(tap) for tap in _taps()]
    middle = WINDOW // 2
    total = taps[middle] * shifted(middle)
    for i in range(middle):
        total += taps[i] * (shifted(i) + shifted(WINDOW - 1 - i))
    return total
