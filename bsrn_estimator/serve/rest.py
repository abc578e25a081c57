"""TensorFlow Serving's REST form: requests, responses, status and metadata as JSON.

See https://www.tensorflow.org/tfx/serving/api_rest. Both forms of a request are read: by rows
(`instances`, answered with `predictions`) and by columns (`inputs`, answered with `outputs`).
Every signature has one input and one output here, whose names may be left out of a request and are
left out of a response. Bytes travel as `{"b64": "..."}`.
"""

import base64
import re
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import numpy as np

from bsrn_estimator.serve import bodies, instances
from bsrn_estimator.serve.limits import Limits
from bsrn_estimator.serve.refusal import Refusal
from bsrn_estimator.serve.signatures import DEFAULT_SIGNATURE

_SIGNATURE = re.compile(r"x(\d+)_(rgb|bytes)$")
_BASE64_PIECE = 3 * 2**18  # whole groups of three bytes, so that no padding stands in between


class Prediction(NamedTuple):
    """One request of the predict API.

    Attributes:
      scale: the scale of its signature.
      pictures: files as bytes, or pixels as float32 [height, width, 3].
      by_rows: whether it had `instances`, so that the response has `predictions`.
      pixels: those of the results, all together.
    """

    scale: int
    pictures: List[instances.Picture]
    by_rows: bool
    pixels: int


def parse(
    body: bytes, signatures: Dict[str, Any], scales: Tuple[int, ...], limits: Limits
) -> Prediction:
    """Reads the body of a predict request.

    Args:
      body: JSON.
      signatures: those of the model, by name.
      scales: those that are served.
      limits: those of the results.

    Raises:
      Refusal: 400, with what is wrong; 413, it has too many pictures or pixels.
    """
    count = _Count(signatures, scales, limits)
    request = instances.read(body, count)
    scale, kind, input_name = _signature_of(request.signature, signatures, scales)
    if request.names - {input_name}:
        raise Refusal(400, 'The one input here is "%s".' % input_name)
    if kind == "bytes" and not count.files:
        raise Refusal(400, '"%s" takes pictures as {"b64": ...} objects.' % input_name)
    if kind == "rgb" and count.files:
        raise Refusal(400, '"%s" takes numbers, [batch, height, width, 3].' % input_name)
    count.check(scale)
    return Prediction(scale, request.pictures, request.by_rows, count.pixels * scale**2)


class _Count:
    """LR pixels of the pictures of a request, kept under the limits while it is read.

    Attributes:
      pixels: how many there are.
      files: whether the pictures are files.
    """

    def __init__(self, signatures: Dict[str, Any], scales: Tuple[int, ...], limits: Limits):
        self._signatures, self._scales, self._limits = signatures, scales, limits
        self._counted = 0
        self.pixels = 0
        self.files = False

    def __call__(self, signature: Optional[str], pictures: list, incomplete: int = 0) -> None:
        """Checks the pictures, of which one more may have come, and pixels of one that comes."""
        for picture in pictures[self._counted :]:
            self.files = isinstance(picture, bytes)
            self.pixels += _size_of_file(picture) if self.files else picture[..., 0].size
        self._counted = len(pictures)
        # Until it is known which scale is meant, it may be the smallest.
        scale = min(self._scales)
        if signature is not None:
            scale = _signature_of(signature, self._signatures, self._scales)[0]
        self.check(scale, incomplete)

    def check(self, scale: int, incomplete: int = 0) -> None:
        """Refuses results that are too large at `scale`."""
        files = self.files and not incomplete
        most = self._limits.pixels if files else self._limits.json_pixels
        if (self.pixels + incomplete) * scale**2 > most:
            advice = "" if files else "; the _bytes signatures take more"
            raise Refusal(
                413, "The results have more than %d pixels, the limit%s." % (most, advice)
            )


def _size_of_file(encoded: bytes) -> int:
    """Pixels of a file; where its header is no good, decoding will say so."""
    try:
        height, width = bodies.look(encoded, 2**62)
    except Refusal:
        return 0
    return height * width


def _signature_of(name: Optional[str], signatures, scales) -> Tuple[int, str, str]:
    """Scale, kind and input name of the signature that a request asks for; no name is default."""
    name = name or DEFAULT_SIGNATURE
    matches = {key: _SIGNATURE.match(key) for key in signatures}
    known = {
        key: (int(match.group(1)), match.group(2))
        for key, match in sorted(matches.items())
        if match and int(match.group(1)) in scales
    }
    if name == DEFAULT_SIGNATURE and name in signatures:
        name = _default_of(signatures)
    if name not in known:
        raise Refusal(
            400,
            'Serving signature name: "%s" not found in signature def; there are %s.'
            % (name[:100] or DEFAULT_SIGNATURE, ", ".join(known)),
        )
    (input_name,) = signatures[name].inputs
    return known[name] + (input_name,)


def _default_of(signatures) -> str:
    """The name with a scale of the signature that `serving_default` repeats."""
    default = signatures[DEFAULT_SIGNATURE]
    for name, signature in signatures.items():
        if _SIGNATURE.match(name) and signature.inputs == default.inputs:
            return name
    return ""


def response(results: list, by_rows: bool) -> Iterator[bytes]:
    """The body of a response, piece by piece, so that other threads have their turns between.

    Args:
      results: PNG files as bytes, or float32 [height, width, 3] pictures.
      by_rows: whether the request was so.
    """
    yield b'{"predictions": [' if by_rows else b'{"outputs": ['
    for index, one in enumerate(results):
        if index:
            yield b","
        yield from (_file(one) if isinstance(one, bytes) else _decimals(one))
    yield b"]}"


def _file(content: bytes) -> Iterator[bytes]:
    yield b'{"b64": "'
    for begin in range(0, len(content), _BASE64_PIECE):
        yield base64.b64encode(content[begin : begin + _BASE64_PIECE])
    yield b'"}'


def _decimals(picture: np.ndarray) -> Iterator[bytes]:
    """A float32 picture as JSON; nine digits tell every float32 from its neighbours."""
    row = "[%s]" % ",".join(["[%.9g,%.9g,%.9g]"] * picture.shape[1])
    for index, line in enumerate(picture):
        yield (("," if index else "[") + row % tuple(line.ravel().tolist())).encode("ascii")
    yield b"]"


def status(version: int) -> Dict[str, Any]:
    """What GET /v1/models/NAME answers."""
    return {
        "model_version_status": [
            {
                "version": str(version),
                "state": "AVAILABLE",
                "status": {"error_code": "OK", "error_message": ""},
            }
        ]
    }


def metadata(name: str, version: int, signatures: Dict[str, Any]) -> Dict[str, Any]:
    """What GET /v1/models/NAME/metadata answers."""
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(version)},
        "metadata": {
            "signature_def": {
                "signature_def": {
                    key: {
                        "inputs": _tensors(signature.inputs),
                        "outputs": _tensors(signature.outputs),
                        "method_name": signature.method_name,
                    }
                    for key, signature in sorted(signatures.items())
                }
            }
        },
    }


def _tensors(infos) -> Dict[str, Any]:
    return {
        key: {
            "dtype": info.dtype,
            "tensor_shape": {
                "dim": [{"size": str(size), "name": ""} for size in info.shape or ()],
                "unknown_rank": info.shape is None,
            },
            "name": info.name,
        }
        for key, info in infos.items()
    }
