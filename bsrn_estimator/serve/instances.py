"""The JSON of a predict request, read as a stream: nothing is built that its pictures do not need.

`ijson` gives one value after the other, so that the limits of pictures and pixels hold while the
body is read, and the reading, in a thread, lets the event loop's thread have its turns: `json`
reads a body in one go, during which no other thread of Python runs, and builds a list for each
pixel.
"""

import array
import base64
import binascii
import io
import string
from typing import Any, Iterator, List, NamedTuple, Optional, Set, Tuple, Union

import ijson
import numpy as np

from bsrn_estimator.serve.refusal import Refusal

# More pictures in one request would be bookkeeping for the most part.
MOST_PICTURES = 256
_WHITE_SPACE = string.whitespace.encode()
_SHAPE = (
    "Pixels are numbers nested to the shape [batch, height, width, 3], all rows of a picture alike"
)

Picture = Union[bytes, np.ndarray]


class Request(NamedTuple):
    """What the body of a predict request says.

    Attributes:
      signature: the signature's name; None where it names none.
      pictures: files as bytes, pixels as float32 [height, width, 3]; all of one kind.
      names: what it calls the input, if it does.
      by_rows: whether it had `instances`; else `inputs`.
    """

    signature: Optional[str]
    pictures: List[Picture]
    names: Set[str]
    by_rows: bool


def read(body: bytes, check) -> Request:
    """Reads the body of a predict request.

    Args:
      body: JSON.
      check: is called with the signature's name, None while it is not known, and the pictures
        after each of them, and after each row of pixels with an array of what there is of the last;
        raises a Refusal where that is too much.

    Raises:
      Refusal: 400, it is not JSON or has another form; 413, it has too many pictures; and those of
        `check`.
    """
    try:
        return _Reader(body, check).request()
    except (ijson.JSONError, StopIteration, UnicodeDecodeError) as error:
        reason = error.args[0] if error.args else "it ends too early"
    raise Refusal(400, "The body cannot be read as JSON: %s." % _first_line(reason))


def _first_line(reason) -> str:
    if isinstance(reason, bytes):
        reason = reason.decode("utf-8", "replace")
    return str(reason).split("\n")[0].strip().rstrip(".")[:200]


class _Reader:
    """One walk through the values of a body, by the forms that it may have."""

    def __init__(self, body: bytes, check):
        self._events: Iterator[Tuple[str, Any]] = ijson.basic_parse(
            io.BytesIO(body), use_float=True
        )
        self._check = check
        self._signature: Optional[str] = None
        self._pictures: List[Picture] = []
        self._names: Set[str] = set()

    def request(self) -> Request:
        containers = []
        if next(self._events)[0] != "start_map":
            raise Refusal(400, 'The body must be a JSON object with "instances" or "inputs".')
        for event, key in self._events:
            if event == "end_map":
                break
            if key in ("instances", "inputs"):
                containers.append(key)
                if len(containers) == 1:
                    self._read_instances() if key == "instances" else self._read_inputs()
                    continue
            elif key == "signature_name":
                event, self._signature = next(self._events)
                if event != "string":
                    raise Refusal(400, '"signature_name" must be a string.')
                self._check(self._signature, self._pictures)
                continue
            self._pass_over()
        for _ in self._events:  # raises where something follows
            pass
        if len(containers) != 1:
            raise Refusal(400, 'The body must have one of "instances" and "inputs".')
        return Request(self._signature, self._pictures, self._names, containers == ["instances"])

    def _pass_over(self) -> None:
        """Reads a value that says nothing here."""
        depth = 0
        for event, _ in self._events:
            depth += event in ("start_map", "start_array")
            depth -= event in ("end_map", "end_array")
            if not depth:
                return

    def _read_instances(self) -> None:
        """A list of pictures, or of objects that name the input and hold one."""
        if next(self._events)[0] != "start_array":
            raise Refusal(400, '"instances" must be a list of at least one value.')
        for event, _ in self._events:
            if event == "end_array":
                break
            if event == "start_map":
                key = self._key()
                if key == "b64":
                    self._read_file()
                else:
                    self._names.add(key)
                    self._read_picture(next(self._events)[0])
                    self._end_of_named()
            else:
                self._read_picture(event)
        if not self._pictures:
            raise Refusal(400, '"instances" must be a list of at least one value.')

    def _read_inputs(self) -> None:
        """A list of pictures, or an object that names the input and holds one."""
        event, _ = next(self._events)
        named = event == "start_map"
        if named:
            self._names.add(self._key())
            event, _ = next(self._events)
        if event != "start_array":
            raise Refusal(400, '"inputs" must have a list of at least one picture.')
        for event, _ in self._events:
            if event == "end_array":
                break
            self._read_picture(event)
        if named:
            self._end_of_named()
        if not self._pictures:
            raise Refusal(400, '"inputs" must have a list of at least one picture.')

    def _key(self) -> str:
        event, key = next(self._events)
        if event != "map_key":
            raise Refusal(400, 'A picture is {"b64": "..."} or a list of rows; here is {}.')
        return key

    def _end_of_named(self) -> None:
        event, key = next(self._events)
        if event != "end_map":
            raise Refusal(400, 'The signatures have one input; "%s" is none.' % str(key)[:50])

    def _read_picture(self, event: str) -> None:
        """A picture whose first event is `event`."""
        if event == "start_array":
            self._read_pixels()
        elif event == "start_map" and self._key() == "b64":
            self._read_file()
        else:
            raise Refusal(400, _SHAPE + '; files are {"b64": "..."}.')

    def _read_file(self) -> None:
        """What follows the key "b64"."""
        event, text = next(self._events)
        if event != "string" or next(self._events)[0] != "end_map":
            raise Refusal(400, 'A picture as a file is {"b64": "..."}, with nothing beside it.')
        self._add(_decoded(text))

    def _add(self, picture: Picture) -> None:
        if len(self._pictures) == MOST_PICTURES:
            raise Refusal(413, "A request takes at most %d pictures." % MOST_PICTURES)
        self._pictures.append(picture)
        if isinstance(picture, bytes) != isinstance(self._pictures[0], bytes):
            raise Refusal(400, "The pictures of a request are files or pixels, not both.")
        self._check(self._signature, self._pictures)

    def _read_pixels(self) -> None:
        """What follows the bracket that opens a picture."""
        numbers = array.array("f")
        rows, width = 0, None
        for event, _ in self._events:
            if event == "end_array":
                break
            before = len(numbers)
            self._read_row(event, numbers)
            rows += 1
            if width is None:
                width = len(numbers) // 3
            if len(numbers) - before != 3 * width or not width:
                raise Refusal(400, _SHAPE + ".")
            self._check(self._signature, self._pictures, rows * width)
        if not rows:
            raise Refusal(400, _SHAPE + ".")
        pixels = np.frombuffer(numbers, np.float32).reshape(rows, width, 3)
        if not np.isfinite(pixels).all():
            raise Refusal(400, "Pixels must be finite numbers.")
        self._add(pixels)

    def _read_row(self, event: str, numbers: array.array) -> None:
        """A row whose first event is `event`: its numbers."""
        events, append = self._events, numbers.append
        if event != "start_array":
            raise Refusal(400, _SHAPE + ".")
        for event, _ in events:
            if event == "end_array":
                return
            if event != "start_array":
                break
            before = len(numbers)
            for event, value in events:
                if event != "number":
                    break
                append(value)
            if event != "end_array" or len(numbers) != before + 3:
                break
        raise Refusal(400, _SHAPE + ".")


def _decoded(text: str) -> bytes:
    """base64 as TensorFlow Serving takes it: in lines or in one, with padding or without."""
    try:
        packed = text.encode("ascii").translate(None, _WHITE_SPACE).rstrip(b"=")
        return base64.b64decode(packed + b"=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(400, 'The value of "b64" is not base64.') from None
