"""tf.train.Example as bytes, written and read without TensorFlow.

The conversion writes records in worker processes that start in a fraction of a second because
they import no TensorFlow. Only what the record format needs is here: features that are one byte
string or one list of integers. The wire format is that of Protocol Buffers 3 for
`Example{features: 1}`, `Features{map<string, Feature> feature: 1}`,
`Feature{bytes_list: 1, float_list: 2, int64_list: 3}`.
"""

from typing import Dict, Iterator, List, Mapping, Tuple, Union

Value = Union[bytes, int]

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_BYTES_LIST, _FLOAT_LIST, _INT64_LIST = 1, 2, 3


def encode_example(features: Mapping[str, Value]) -> bytes:
    """The serialised tf.train.Example of `features`; the same features give the same bytes.

    Args:
      features: name to one byte string, or to one integer of 64 bits.

    Returns:
      The message, its features in ascending order of their names.
    """
    entries: List[bytes] = []
    for name in sorted(features):
        value = features[name]
        if isinstance(value, bytes):
            feature = _field(_BYTES_LIST, _field(1, [value]))
        else:
            feature = _field(_INT64_LIST, _field(1, [_varint(int(value) & (2**64 - 1))]))
        entries += _field(1, _field(1, [name.encode()]) + _field(2, feature))
    return b"".join(_field(1, entries))


def decode_example(serialized: bytes) -> Dict[str, List[Value]]:
    """The features of a serialised tf.train.Example: name to a list of byte strings or integers.

    Lists of floats are passed over.

    Raises:
      ValueError: `serialized` is not such a message.
    """
    features: Dict[str, List[Value]] = {}
    try:
        for features_message in _all(serialized, 1):
            for entry in _all(features_message, 1):
                parts = dict(_fields(entry))
                features[bytes(parts[1]).decode()] = _values(parts.get(2, b""))
    except (KeyError, TypeError):  # a field is absent, or a number stands where a message should
        raise ValueError("not a serialised tf.train.Example") from None
    return features


def _values(feature) -> List[Value]:
    values: List[Value] = []
    for kind, message in _fields(feature):
        if kind == _BYTES_LIST:
            values += [bytes(value) for value in _all(message, 1)]
        elif kind == _INT64_LIST:
            for packed in _all(message, 1):
                values += [packed] if isinstance(packed, int) else _packed(packed)
    return [v - 2**64 if isinstance(v, int) and v >= 2**63 else v for v in values]


def _packed(data) -> Iterator[int]:
    position = 0
    while position < len(data):
        value, position = _read_varint(data, position)
        yield value


def _field(number: int, pieces: List[bytes]) -> List[bytes]:
    """A field as pieces that are joined once, at the end: pictures are large."""
    size = sum(len(piece) for piece in pieces)
    return [_varint(number << 3 | _BYTES) + _varint(size)] + pieces


def _varint(value: int) -> bytes:
    groups = bytearray()
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    groups.append(value)
    return bytes(groups)


def _all(message, number: int) -> Iterator:
    return (value for found, value in _fields(message) if found == number)


def _fields(message) -> Iterator[Tuple[int, Union[int, memoryview]]]:
    view = memoryview(message)
    position = 0
    while position < len(view):
        tag, position = _read_varint(view, position)
        kind = tag & 7
        value: Union[int, memoryview]
        if kind == _VARINT:
            value, position = _read_varint(view, position)
        else:
            if kind == _BYTES:
                size, position = _read_varint(view, position)
            elif kind in (_FIXED64, _FIXED32):
                size = 8 if kind == _FIXED64 else 4
            else:
                raise ValueError("not a serialised tf.train.Example")
            value = view[position : position + size]
            position += size
            if position > len(view):
                raise ValueError("a serialised tf.train.Example is cut short")
        yield tag >> 3, value


def _read_varint(data, position: int) -> Tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift < 64:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("a serialised tf.train.Example is cut short")
