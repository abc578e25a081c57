"""From the bytes of a record to pixels, in a TensorFlow graph."""

from typing import Any, Callable, Dict, Iterable, Tuple

import numpy as np

from bsrn_estimator.compat import python_function, tf
from bsrn_estimator.data import parsing, records
from bsrn_estimator.data.reader import RecordReader

# No PNG in a record is decoded beyond this many pixels, 400 MB as RGB.
MAX_RECORD_PIXELS = 2**27
# Where a PNG has its width and height: position and bytes.
_PNG_SIZE = (16, 8)


def parse(serialized: Any, scales: Iterable[int]) -> Dict[str, Any]:
    """The features of one record, in a TensorFlow graph; no picture is decoded.

    Args:
      serialized: string tensor, scalar: the data of one record.
      scales: the scales wanted.

    Returns:
      Scalar tensors: strings `key`, `name`, `format`, `hr/encoded` and `lr_x{s}/encoded`; int64
      `channels`, `height`, `width`, `y`, `x`, `lr_x{s}/height`, `lr_x{s}/width`.
    """
    from bsrn_estimator.compat import tf

    text, number = tf.FixedLenFeature([], tf.string), tf.FixedLenFeature([], tf.int64)
    kinds = {name: text for name in ("key", "name", "format", "hr/encoded")}
    kinds.update({name: number for name in ("height", "width", "y", "x")})
    kinds["channels"] = tf.FixedLenFeature([], tf.int64, default_value=records.RGB)
    for scale in scales:
        kinds["lr_x%d/encoded" % scale] = text
        kinds["lr_x%d/height" % scale] = number
        kinds["lr_x%d/width" % scale] = number
    parsed = tf.parse_single_example(
        serialized, {"image/" + name: kind for name, kind in kinds.items()}
    )
    return {name: parsed["image/" + name] for name in kinds}


def decode_picture(encoded: Any, format: Any, height: Any, width: Any) -> Any:
    """The pixels of an encoded picture, in a TensorFlow graph.

    Args:
      encoded: string tensor, scalar.
      format: "png" or "raw": a Python string (one decoder in the graph) or a string tensor.
      height: pixels, integer tensor or number.
      width: pixels, integer tensor or number.

    Returns:
      uint8 tensor [height, width, 3], RGB. It is an error to evaluate where the picture is not of
      this size, or larger than `MAX_RECORD_PIXELS`; a PNG is found to be so before it is decoded.
    """
    from bsrn_estimator.compat import tf

    shape = tf.stack([tf.cast(height, tf.int32), tf.cast(width, tf.int32), 3])

    def raw():
        return tf.reshape(tf.io.decode_raw(encoded, tf.uint8), shape)

    def png():
        # A few bytes can decode to gigabytes, so the header is looked at first.
        enough = tf.strings.length(encoded) >= sum(_PNG_SIZE)
        # Not left to substr: it would quote the bytes, and TensorFlow 1.15 crash on that.
        with tf.control_dependencies(
            [tf.Assert(enough, ["the record holds no PNG; convert the data again"])]
        ):
            header = tf.strings.substr(encoded, *_PNG_SIZE)
        width_height = tf.io.decode_raw(header, tf.int32, little_endian=False)
        pixels = tf.reduce_prod(tf.cast(width_height, tf.int64))
        fits = tf.reduce_all(tf.equal(width_height, shape[1::-1])) & (pixels <= MAX_RECORD_PIXELS)
        problem = "the record holds a picture of another size than it says, or a far too large one"
        problem += "; check its folder with data_tools/to_tfrecord.py --verify"
        with tf.control_dependencies([tf.Assert(fits, [problem])]):
            return tf.reshape(tf.image.decode_png(encoded, channels=3), shape)

    if isinstance(format, str):
        return raw() if format == "raw" else png()
    return tf.cond(tf.equal(format, "raw"), raw, png)


def decoder(reader: RecordReader, parsed: Dict[str, tf.Tensor]) -> Callable[[str], tf.Tensor]:
    """A function that decodes "hr" or "lr_x2" of a parsed record: uint8 [height, width, 3]."""

    def decode(name: str) -> tf.Tensor:
        prefix = "" if name == "hr" else name + "/"
        return parsing.decode_picture(
            parsed[name + "/encoded"],
            reader.manifest.encoding,
            parsed[prefix + "height"],
            parsed[prefix + "width"],
        )

    return decode


def read(
    reader: RecordReader, number: tf.Tensor, record_of: Callable = int
) -> Tuple[tf.Tensor, tf.Tensor]:
    """Number, int64, and data, a string, of record `record_of(number)` or the one in its place.

    Python's part of the work: it places one read and checks one checksum. All that follows runs
    in TensorFlow, where several threads can be at work at a time.
    """

    def read(number: np.ndarray) -> Tuple[np.ndarray, bytes]:
        record, data = reader.take(record_of(number))
        return np.int64(record), data

    record, data = python_function(read, [number], [tf.int64, tf.string], stateful=False)
    record.set_shape([])
    data.set_shape([])
    return record, data


def printable_tensor(text: tf.Tensor) -> tf.Tensor:
    """`text` in a form that an error can carry: neither runtime takes bytes that are no UTF-8."""
    text = tf.strings.unicode_transcode(text, "UTF-8", "UTF-8", errors="replace")
    return tf.strings.regex_replace(text, "[[:cntrl:]]", "?")
