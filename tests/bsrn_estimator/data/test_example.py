"""tf.train.Example as bytes, against TensorFlow's own."""

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from bsrn_estimator.compat import tf
from bsrn_estimator.data.example import decode_example, encode_example


def test_example_is_what_tensorflow_reads_and_writes():
    values = {"a": b"\x00bytes", "empty": b"", "b": 0, "large": 2**62, "negative": -3}
    read = tf.train.Example.FromString(encode_example(values)).features.feature
    assert {name: list(read[name].bytes_list.value) for name in ("a", "empty")} == {
        "a": [b"\x00bytes"],
        "empty": [b""],
    }
    assert [read[n].int64_list.value[0] for n in ("b", "large", "negative")] == [0, 2**62, -3]

    theirs = tf.train.Example()
    theirs.features.feature["n"].int64_list.value.extend([1, -1, 2**40])
    theirs.features.feature["s"].bytes_list.value.extend([b"x", b"yz"])
    theirs.features.feature["f"].float_list.value.extend([1.5])
    assert decode_example(theirs.SerializeToString()) == {
        "n": [1, -1, 2**40],
        "s": [b"x", b"yz"],
        "f": [],
    }


def test_example_bytes_do_not_depend_on_the_order_of_the_features():
    assert encode_example({"b": 1, "a": b"2"}) == encode_example({"a": b"2", "b": 1})


def test_an_end_of_what_never_began_is_refused(root):
    """In a process of its own: protobuf 3 only warns, and pytest has warnings its own way."""
    program = """
import bsrn_estimator.data.example as example

for data in (b"\\x0c", example.encode_example({"a": 1}) + b"\\x0c"):
    try:
        print(example.decode_example(data))
    except ValueError as error:
        print(error)
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=str(root), stdout=subprocess.PIPE)
    assert done.stdout.decode().splitlines() == ["not a serialised tf.train.Example"] * 2


@given(st.binary(max_size=200))
def test_decode_example_survives_any_bytes(data):
    try:
        decode_example(data)
    except ValueError:
        pass
