"""A picture of any size through a network within a graph, tile by tile, in the memory of one tile.

What `pictures.tiling` does with arrays, with nothing but TensorFlow's own operations, so that an
export may hold it.
"""

from typing import Callable

from bsrn_estimator.compat import tf
from bsrn_estimator.networks import bands


def shape_for(height, width, side: int, overlap: int):
    """`tiling.shape_for` as a function of tensors.

    Args:
      height: int32 scalar, of the picture in LR pixels.
      width: likewise.
      side: no tile has more pixels than a square of this side.
      overlap: context on each side.

    Returns:
      Height and width of a tile, int32 scalars.
    """

    def equal_length(size, count):
        return -tf.floordiv(-(size + 2 * overlap * (count - 1)), count)

    height, width = tf.cast(height, tf.int64), tf.cast(width, tf.int64)
    rows = tf.range(1, height + 1, dtype=tf.int64)
    high = equal_length(height, rows)
    most = tf.floordiv(tf.constant(side**2, tf.int64), high)
    step = tf.maximum(most - 2 * overlap, 1)
    columns = 1 + tf.maximum(tf.constant(0, tf.int64), -tf.floordiv(most - width, step))
    wide = equal_length(width, columns)
    possible = tf.logical_and(
        tf.logical_or(tf.equal(rows, 1), high > 2 * overlap),
        tf.logical_or(tf.equal(columns, 1), most > 2 * overlap),
    )
    work = rows * high * columns * wide
    best = tf.argmin(tf.where(possible, work, tf.fill(tf.shape(work), tf.int64.max)))
    return tf.cast(high[best], tf.int32), tf.cast(wide[best], tf.int32)


def _spans(size, tile, overlap: int):
    """`tiling.windows` as a function of tensors.

    Args:
      size: int32 scalar, length of an axis.
      tile: int32 scalar, length of a window.
      overlap: context on each side.

    Returns:
      The number of windows, int32 scalar; and a function from a window's index to its start, stop,
      keep and keep_stop, int32 scalars.
    """
    # A tile that is the whole axis may have no more than its margins.
    step = tf.maximum(tile - 2 * overlap, 1)
    count = 1 + tf.maximum(0, -tf.floordiv(tile - size, step))

    def span(index):
        start = tf.minimum(index * step, tf.maximum(size - tile, 0))
        keep = tf.where(tf.equal(index, 0), 0, index * step + overlap)
        keep_stop = tf.where(tf.equal(index, count - 1), size, (index + 1) * step + overlap)
        return start, tf.minimum(start + tile, size), keep, keep_stop

    return count, span


def upscale_in_tiles(
    picture,
    scale: int,
    upscale: Callable,
    side: int,
    overlap: int,
    channels: int = 3,
    dtype=tf.uint8,
):
    """Upscales a picture tile by tile, so that memory does not grow with its size.

    Args:
      picture: uint8 [height, width, 3].
      scale: the factor.
      upscale: a function from uint8 [h, w, 3] to `dtype` [scale * h, scale * w, channels]. It runs
        within loops, where no variable can be made.
      side: no tile has more pixels than a square of this side.
      overlap: context around what a tile keeps.
      channels: of what `upscale` gives; those of several results stand one behind the other.
      dtype: of what it gives.

    Returns:
      `dtype` [scale * height, scale * width, channels].
    """
    size, shape = tf.shape(picture), [None, None, channels]
    high, wide = shape_for(size[0], size[1], side, overlap)
    rows, row_span = _spans(size[0], high, overlap)
    columns, column_span = _spans(size[1], wide, overlap)

    def band(row):
        top, bottom, keep_row, keep_row_stop = row_span(row)

        def piece(column):
            left, right, keep, keep_stop = column_span(column)
            hr = upscale(picture[top:bottom, left:right])
            kept = hr[
                scale * (keep_row - top) : scale * (keep_row_stop - top),
                scale * (keep - left) : scale * (keep_stop - left),
            ]
            return tf.transpose(kept, [1, 0, 2])

        return tf.transpose(bands.joined(columns, piece, dtype, shape), [1, 0, 2])

    result = bands.joined(rows, band, dtype, shape)
    result.set_shape(shape)
    return result
