"""PSNR, SSIM and RMSE of `metrics` as tensors: the same figures, where pictures are in a graph.

Windows are computed in float32, differences of Y and sums over a picture in float64.
"""

from typing import Dict, Sequence

import numpy as np

from bsrn_estimator.compat import one_by_one, tf
from bsrn_estimator.evaluation.metrics import (
    FULL_RANGE,
    MIDDLE,
    PEAK,
    PSNR_RGB,
    PSNR_Y,
    RMSE_RGB,
    SSIM_Y,
    WINDOW,
    Y_OFFSET,
    similarity,
    weighted,
    window_taps,
)

# Pixels of a picture that are looked at at a time: some 40 maps of 1 MB.
BAND_PIXELS = 2**18


def quantise(picture):
    """float32 of any shape -> float32 rounded (halves to even) and clipped to 0..255."""
    return tf.clip_by_value(tf.round(picture), 0.0, PEAK)


def as_stored(picture, one_channel):
    """A result as it is stored: float32 [..., 3] of whole numbers in 0..255.

    Args:
      picture: float32 [..., 3], RGB.
      one_channel: bool scalar, whether the file of the picture has one channel. Then the luma of
        the result is stored, as `Picture.store` does, and stands in all three.
    """

    def grey():
        return tf.broadcast_to(FULL_RANGE * weighted(picture)[..., tf.newaxis], tf.shape(picture))

    return quantise(tf.cond(one_channel, grey, lambda: picture))


def compare(
    hr, pictures: Sequence, shave: int, full_range=False, band_pixels: int = BAND_PIXELS
) -> Dict:
    """`metrics.compare` as tensors, for several results of one size, one band of rows at a time.

    Args:
      hr: the ground truth, numeric [>= height, >= width, 3], whole numbers in 0..255.
      pictures: the results, numeric [height, width, 3]; whole numbers, see `quantise`.
      shave: pixels left out on each side.
      full_range: bool scalar, whether Y is that of full range, see `metrics.y_of`.
      band_pixels: how many are looked at at a time, about.

    Returns:
      float64 [n] under each of `metrics.NAMES`, those of `metrics.compare` to 1e-6 dB and 1e-5.
      Results larger than HR fail when it runs, with both sizes in the message.
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
            return begin + rows, sums + _sums(band, end - begin, windows, full_range)

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
        error, y_error, windows = tf.unstack(sums, axis=1)
        # What is divided by 0 is nan.
        return {
            PSNR_Y: _psnr(y_error / pixels),
            SSIM_Y: windows / places,
            PSNR_RGB: _psnr(error / (3 * pixels)),
            RMSE_RGB: tf.sqrt(error / (3 * pixels)),
        }


def _sums(band, rows, windows, full_range):
    """What a band adds to the sums over a picture.

    Args:
      band: float32 [1 + n, >= rows, width, 3], HR and the results.
      rows: those whose errors count.
      windows: how many windows of SSIM count, downwards and across.
      full_range: see `compare`.

    Returns:
      float64 [n, 3]: squared errors of R, G and B, squared errors of Y, and SSIM of the windows.
    """
    # The offset of Y is a matter for SSIM alone.
    gain = tf.where(full_range, tf.constant(FULL_RANGE, tf.float64), 1.0)
    offset = tf.where(full_range, 0.0, Y_OFFSET) - MIDDLE

    def luma(picture):
        return tf.cast(gain, tf.float32) * weighted(picture) + offset

    hr = band[0]
    of_hr = _Windows(luma(hr), windows)

    def sums(picture):
        difference = tf.cast((hr - picture)[:rows], tf.float64)
        y_difference = gain * weighted(difference)
        return tf.stack(
            [
                tf.reduce_sum(tf.square(difference)),
                tf.reduce_sum(tf.square(y_difference)),
                of_hr.ssim(luma(picture)),
            ]
        )

    return one_by_one(sums, band[1:], tf.float64)


def _psnr(mean_square):
    return (10 / np.log(10)) * tf.log(PEAK**2 / mean_square)


class _Windows:
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
        value = similarity(self._mean, mean, self._squares + squares, product)
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
            taps = window_taps()
            middle = WINDOW // 2
            values = float(taps[middle]) * shifted[middle]
            for i in range(middle):
                values += float(taps[i]) * (shifted[i] + shifted[WINDOW - 1 - i])
        return tf.unstack(values, num=len(maps))
