"""Records to pixels in the graph."""

import io
import struct

import numpy as np
import pytest
from PIL import Image

from bsrn_estimator.compat import tf
from bsrn_estimator.data import parsing, records
from bsrn_estimator.data.example import encode_example
from bsrn_estimator.data.manifest import ENCODINGS


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def picture(height, width, seed=0):
    return np.random.RandomState(seed).randint(0, 256, (height, width, 3)).astype(np.uint8)


def example(encoding, key="0001_y0012_x0006"):
    hr, lr = picture(18, 30), {2: picture(9, 15, 2), 3: picture(6, 10, 3)}
    encode = png if encoding == "png" else np.ndarray.tobytes
    return (
        hr,
        lr,
        encode_example(
            records.image_features(
                key,
                "0001",
                encoding,
                (12, 6),
                (encode(hr), 18, 30),
                {scale: (encode(lr[scale]),) + lr[scale].shape[:2] for scale in lr},
            )
        ),
    )


def test_parse_and_decode_in_the_graph():
    with tf.Graph().as_default(), tf.Session() as session:
        serialized = tf.placeholder(tf.string, [])
        parsed = parsing.parse(serialized, (2, 3))
        pictures = {
            name: parsing.decode_picture(parsed[name + "/encoded"], parsed["format"], height, width)
            for name, height, width in (
                ("hr", parsed["height"], parsed["width"]),
                ("lr_x2", parsed["lr_x2/height"], parsed["lr_x2/width"]),
                ("lr_x3", parsed["lr_x3/height"], parsed["lr_x3/width"]),
            )
        }
        assert not [o for o in session.graph.get_operations() if "PyFunc" in o.type]
        for encoding in ENCODINGS:
            hr, lr, data = example(encoding)
            got, rest = session.run([pictures, parsed], {serialized: data})
            np.testing.assert_array_equal(got["hr"], hr)
            np.testing.assert_array_equal(got["lr_x2"], lr[2])
            np.testing.assert_array_equal(got["lr_x3"], lr[3])
            assert (rest["key"], rest["name"], rest["y"], rest["x"]) == (
                b"0001_y0012_x0006",
                b"0001",
                12,
                6,
            )
            known = parsing.decode_picture(parsed["hr/encoded"], encoding, 18, 30)
            np.testing.assert_array_equal(session.run(known, {serialized: data}), hr)
        wrong = parsing.decode_picture(parsed["hr/encoded"], "raw", 18, 29)
        with pytest.raises(tf.errors.InvalidArgumentError):
            session.run(wrong, {serialized: data})


@pytest.mark.parametrize("height, too_large", [(2**13, False), (2**13 + 1, True)])
def test_a_png_that_says_it_is_too_large_is_not_decoded(height, too_large):
    """Of 400 MB as RGB, or a row more; nothing follows its header."""
    header = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">II", 2**14, height)
    with tf.Graph().as_default(), tf.Session() as session:
        decoded = parsing.decode_picture(tf.constant(header), "png", height, 2**14)
        with pytest.raises(tf.errors.InvalidArgumentError) as error:
            session.run(decoded)
    assert ("far too large" in str(error.value)) is too_large
