"""PSNR, SSIM and RMSE, one definition for numpy and for the graph.

The protocol is that of the field: pictures are RGB of 8 bits; HR is cropped to the size of the
result; `shave` pixels are left out on each side; Y is that of BT.601, studio range, not rounded;
SSIM takes an 11x11 Gaussian window of deviation 1.5 and only places where all of it fits.

Y of a grey picture depends on the rule, see `grey`. By file, an HR of one channel is compared as it
is, with the luma of full range of a result that has three: of equal channels that is their value.

Two answers are not finite: the PSNR of equal pictures is inf, and a value for which no pixel is
left (the shave eats the picture, or it is smaller than the window of SSIM) is nan. Means over
pictures leave both out: `mean_of_finite`.
"""

from typing import Dict, Iterable, Optional, Sequence

import numpy as np

from bsrn_estimator.compat import one_by_one, tf
from bsrn_estimator.evaluation.grey import BY_FILE, RULES

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
# Pixels of a picture that the graph looks at at a time: some 40 maps of 1 MB.
BAND_PIXELS = 2**18
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
    weighted = _weighted(np.broadcast_to(values, values.shape[:2] + (3,)))
    return _FULL_RANGE * weighted if full_range else _Y_OFFSET + weighted


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
    hr, picture = hr - _MIDDLE, picture - _MIDDLE
    means = [_windowed(x) for x in (hr, picture, hr * hr + picture * picture, hr * picture)]
    return float(np.mean(_similarity(*means)))


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
        values = sum(tap * values[i : i + size] for i, tap in enumerate(_taps())).T
    return values


# In the graph: float32 for windows, float64 for differences of Y and for sums over a picture.


def graph_quantise(picture):
    """float32 of any shape -> float32 rounded (halves to even) and clipped to 0..255."""
    return tf.clip_by_value(tf.round(picture), 0.0, PEAK)


def graph_as_stored(picture, one_channel):
    """A result as it is stored: float32 [..., 3] of whole numbers in 0..255.

    Args:
      picture: float32 [..., 3], RGB.
      one_channel: bool scalar, whether the file of the picture has one channel. Then the luma of
        the result is stored, as `Picture.store` does, and stands in all three.
    """

    def grey():
        return tf.broadcast_to(_FULL_RANGE * _weighted(picture)[..., tf.newaxis], tf.shape(picture))

    return graph_quantise(tf.cond(one_channel, grey, lambda: picture))


def graph_compare(
    hr, pictures: Sequence, shave: int, full_range=False, band_pixels: int = BAND_PIXELS
) -> Dict:
    """`compare` as tensors, for several results of one size, in bands of rows one after the other.

    Args:
      hr: the ground truth, numeric [>= height, >= width, 3], whole numbers in 0..255.
      pictures: the results, numeric [height, width, 3]; whole numbers, see `graph_quantise`.
      shave: pixels left out on each side.
      full_range: bool scalar, whether Y is that of full range, see `y_of`.
      band_pixels: how many are looked at at a time, about.

    Returns:
      float64 [n] under each of `NAMES`, those of `compare` to 1e-6 dB and 1e-5. Results larger than
      HR fail when it runs, with both sizes in the message.
    """
    with tf.name_scope("compare"):
        size = tf.shape(pictures[0])
        message = ["HR is smaller than the result:", tf.shape(hr), size]
        covers = tf.reduce_all(tf.shape(hr)[:2] >= size[:2])
        with tf.control_dependencies([tf.Assert(covers, message)]):
            height, width = tf.unstack(tf.maximum(size[:2] - 2 * shave, 0))
        rows = tf.maximum(band_pixels // tf.maximum(width, 1), WINDOW)
        # Places where a window begins.
        down, across = tf.maximum(height - WINDOW + 1, 0), tf.maximum(width - WINDOW + 1, 0)

        def add_band(begin, sums):
            end = tf.minimum(begin + rows, height)
            # The windows that begin in this band reach into the next one.
            last = shave + tf.minimum(end + WINDOW - 1, height)
            parts = [
                each[shave + begin : last, shave : shave + width] for each in [hr] + list(pictures)
            ]
            band = tf.stack([tf.cast(part, tf.float32) for part in parts])
            windows = tf.maximum(tf.minimum(end, down) - begin, 0), across
            return begin + rows, sums + _graph_sums(band, end - begin, windows, full_range)

        _, sums = tf.while_loop(
            lambda begin, _: begin < height,
            add_band,
            [tf.constant(0), tf.zeros([len(pictures), 3], tf.float64)],
            parallel_iterations=1,
            back_prop=False,
        )
        pixels, places = (
            tf.cast(a, tf.float64) * tf.cast(b, tf.float64)
            for a, b in ((height, width), (down, across))
        )
        error, y_error, similarity = tf.unstack(sums, axis=1)
        # What is divided by 0 is nan.
        return {
            PSNR_Y: _graph_psnr(y_error / pixels),
            SSIM_Y: similarity / places,
            PSNR_RGB: _graph_psnr(error / (3 * pixels)),
            RMSE_RGB: tf.sqrt(error / (3 * pixels)),
        }


def _graph_sums(band, rows, windows, full_range):
    """What a band adds to the sums over a picture.

    Args:
      band: float32 [1 + n, >= rows, width, 3], HR and the results.
      rows: those whose errors count.
      windows: how many windows of SSIM count, downwards and across.
      full_range: see `graph_compare`.

    Returns:
      float64 [n, 3]: squared errors of R, G and B, squared errors of Y, and SSIM of the windows.
    """
    # The offset of Y is a matter for SSIM alone.
    gain = tf.where(full_range, tf.constant(_FULL_RANGE, tf.float64), 1.0)
    offset = tf.where(full_range, 0.0, _Y_OFFSET) - _MIDDLE

    def luma(picture):
        return tf.cast(gain, tf.float32) * _weighted(picture) + offset

    hr = band[0]
    of_hr = _GraphWindows(luma(hr), windows)

    def sums(picture):
        difference = tf.cast((hr - picture)[:rows], tf.float64)
        y_difference = gain * _weighted(difference)
        return tf.stack(
            [
                tf.reduce_sum(tf.square(difference)),
                tf.reduce_sum(tf.square(y_difference)),
                of_hr.ssim(luma(picture)),
            ]
        )

    return one_by_one(sums, band[1:], tf.float64)


def _graph_psnr(mean_square):
    return (10 / np.log(10)) * tf.log(PEAK**2 / mean_square)


class _GraphWindows:
    """SSIM of results with one HR, whose own windowed means are computed once.

    The window is applied by sums of shifted slices: on one channel that is no slower than
    convolutions, and a GPU that rounds the factors of convolutions (TF32) does not spoil it.

    Args:
      hr: Y of HR less the middle, float32 [height, width], already shaved.
      count: how many windows count, downwards and across.
    """

    def __init__(self, hr, count) -> None:
        self._count = count
        self._missing = tf.maximum(WINDOW - tf.shape(hr), 0)
        self._hr = self._padded(hr)
        self._size = tf.shape(self._hr) - (WINDOW - 1)
        self._mean, self._squares = self._windowed([self._hr, tf.square(self._hr)])

    def ssim(self, picture):
        """The sum over the windows for a result like HR, float64 scalar."""
        picture = self._padded(picture)
        mean, squares, product = self._windowed([picture, tf.square(picture), self._hr * picture])
        value = _similarity(self._mean, mean, self._squares + squares, product)
        value = value[: self._count[0], : self._count[1]]
        return tf.reduce_sum(tf.cast(value, tf.float64))

    def _padded(self, values):
        """What is smaller than the window, enlarged to it, so that every slice exists."""
        return tf.pad(values, [[0, self._missing[0]], [0, self._missing[1]]])

    def _windowed(self, maps):
        """The windowed means of tensors [height, width], each [height - 10, width - 10]."""
        values = tf.stack(maps)
        for lengths, axis in ([-1, self._size[0], -1], 1), ([-1, -1, self._size[1]], 2):
            lengths = tf.stack(lengths)
            shifted = [
                tf.slice(values, [0] * axis + [i] + [0] * (2 - axis), lengths)
                for i in range(WINDOW)
            ]
            taps = _taps()
            middle = WINDOW // 2
            values = float(taps[middle]) * shifted[middle]
            for i in range(middle):
                values += float(taps[i]) * (shifted[i] + shifted[WINDOW - 1 - i])
        return tf.unstack(values, num=len(maps))
