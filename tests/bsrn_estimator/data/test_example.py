"""tf.train.Example as bytes, against TensorFlow's own."""

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


@given(st.binary(max_size=200))
def test_decode_example_survives_any_bytes(data):
    try:
        decode_example(data)
    except ValueError:
        pass
