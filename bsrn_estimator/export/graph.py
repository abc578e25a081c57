"""The parts of an exported graph that stand around the network: encoded pictures in and out.

Nothing here but TensorFlow's own ops, so that what is exported loads where this project is not.
"""

from bsrn_estimator.compat import one_by_one, tf
from bsrn_estimator.networks import bands

_PNG_START = b"\x89PNG\r\n\x1a\n"
_JPEG_START = b"\xff\xd8\xff"
# Up to and with the size in the first chunk of a PNG.
_PNG_HEADER_BYTES = 24


def _png_size(encoded):
    """Height and width that the header of a PNG states, int64 [2]."""
    with tf.control_dependencies(
        [
            tf.debugging.assert_greater_equal(
                tf.strings.length(encoded), _PNG_HEADER_BYTES, message="the PNG has no header"
            )
        ]
    ):
        size = tf.io.decode_raw(
            tf.strings.substr(encoded, 16, 8), tf.int32, little_endian=False, name="png_size"
        )
    return tf.cast(size[::-1], tf.int64)


def _jpeg_size(encoded):
    """Height and width that the header of a JPEG states, int64 [2]."""
    return tf.cast(tf.image.extract_jpeg_shape(encoded)[:2], tf.int64)


def _starts_with(encoded, start: bytes):
    """Whether the string scalar `encoded`, of any length, starts with `start`: bool scalar."""
    length = tf.minimum(len(start), tf.strings.length(encoded))
    return tf.equal(tf.strings.substr(encoded, 0, length), start)


def decode_bounded(encoded, max_pixels: int):
    """A picture from the bytes of a PNG or JPEG, its size checked before it is decoded.

    Args:
      encoded: string scalar.
      max_pixels: more than so many pixels are refused.

    Returns:
      uint8 [height, width, 3], RGB; alpha is dropped, 16 bit are cut to 8, and the orientation in
      EXIF data is not looked at. Other bytes, a damaged file and too large a picture give
      InvalidArgumentError when the graph runs.
    """
    is_png, is_jpeg = _starts_with(encoded, _PNG_START), _starts_with(encoded, _JPEG_START)
    known = tf.debugging.Assert(
        tf.logical_or(is_png, is_jpeg), ["the bytes are neither a PNG nor a JPEG"]
    )
    with tf.control_dependencies([known]):
        size = tf.cond(is_png, lambda: _png_size(encoded), lambda: _jpeg_size(encoded))
    bounds = [
        tf.debugging.assert_positive(size, message="the picture has no pixels"),
        tf.debugging.assert_less_equal(
            tf.reduce_prod(tf.cast(size, tf.float64)),
            tf.constant(max_pixels, tf.float64),
            message="the picture has more than %d pixels" % max_pixels,
        ),
    ]
    with tf.control_dependencies(bounds):
        encoded = tf.identity(encoded)
    picture = tf.cond(
        is_png,
        lambda: tf.image.decode_png(encoded, channels=3),
        lambda: tf.image.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE"),
    )
    picture.set_shape([None, None, 3])
    return picture


def to_uint8(picture):
    """Rounds and clips a float picture in 0..255."""
    return tf.cast(tf.clip_by_value(tf.round(picture), 0.0, 255.0), tf.uint8)


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
    step = tile - 2 * overlap
    count = 1 + tf.maximum(0, -tf.floordiv(tile - size, step))

    def span(index):
        start = tf.minimum(index * step, tf.maximum(size - tile, 0))
        keep = tf.where(tf.equal(index, 0), 0, index * step + overlap)
        keep_stop = tf.where(tf.equal(index, count - 1), size, (index + 1) * step + overlap)
        return start, tf.minimum(start + tile, size), keep, keep_stop

    return count, span


def upscale_in_tiles(picture, scale: int, upscale, side: int, overlap: int):
    """Upscales a picture tile by tile, so that memory does not grow with its size.

    Args:
      picture: uint8 [height, width, 3].
      scale: the factor.
      upscale: a function from uint8 [h, w, 3] to uint8 [scale * h, scale * w, 3].
      side: no tile has more pixels than a square of this side.
      overlap: context around what a tile keeps.

    Returns:
      uint8 [scale * height, scale * width, 3].
    """
    size = tf.shape(picture)
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

        return tf.transpose(bands.joined(columns, piece, tf.uint8, [None, None, 3]), [1, 0, 2])

    result = bands.joined(rows, band, tf.uint8, [None, None, 3])
    result.set_shape([None, None, 3])
    return result


def upscale_bytes(encoded, upscale, max_pixels: int):
    """PNG files of the upscaled pictures in `encoded`.

    Args:
      encoded: string [batch], each a PNG or JPEG of any size.
      upscale: a function from uint8 [height, width, 3] to uint8 [s * height, s * width, 3].
      max_pixels: bound of one picture; see `decode_bounded`.

    Returns:
      string [batch].
    """
    return one_by_one(
        lambda one: tf.image.encode_png(upscale(decode_bounded(one, max_pixels))),
        encoded,
        tf.string,
    )
