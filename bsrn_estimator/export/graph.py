"""The parts of an exported graph that stand around the network: encoded pictures in and out.

Nothing here but TensorFlow's own ops, so that what is exported loads where this project is not.
"""

from bsrn_estimator.compat import one_by_one, tf

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
