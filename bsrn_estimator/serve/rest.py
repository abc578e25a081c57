"""TensorFlow Serving's REST form: requests, responses, status and metadata as JSON.

See https://www.tensorflow.org/tfx/serving/api_rest. Both forms of a request are read: by rows
(`instances`, answered with `predictions`) and by columns (`inputs`, answered with `outputs`).
Every signature has one input and one output here, whose names may be left out of a request and are
left out of a response. Bytes travel as `{"b64": "..."}`.
"""

import base64
import binascii
import json
import re
from typing import Any, Dict, List, NamedTuple, Tuple, Union

import numpy as np

from bsrn_estimator.compat import tf
from bsrn_estimator.serve.refusal import Refusal

_SIGNATURE = re.compile(r"x(\d+)_(rgb|bytes)$")
DEFAULT_SIGNATURE = "serving_default"
# More pictures in one request would be bookkeeping for the most part.
_MOST_PICTURES = 256


class Prediction(NamedTuple):
    """One request of the predict API.

    Attributes:
      scale: the scale of its signature.
      pictures: files as a list of bytes, or float32 [batch, height, width, 3].
      by_rows: whether it had `instances`, so that the response has `predictions`.
    """

    scale: int
    pictures: Union[List[bytes], np.ndarray]
    by_rows: bool


def parse(body: bytes, signatures: Dict[str, Any], scales: Tuple[int, ...]) -> Prediction:
    """Reads the body of a predict request.

    Args:
      body: JSON.
      signatures: name to SignatureDef of the model.
      scales: those that are served.

    Raises:
      Refusal: 400, with what is wrong; 413, it has too many pictures.
    """
    try:
        request = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Refusal(400, "The body is not JSON: %s" % _one_line(error)) from None
    if not isinstance(request, dict):
        raise Refusal(400, 'The body must be a JSON object with "instances" or "inputs".')
    scale, kind, input_name = _signature_of(request, signatures, scales)
    by_rows = "instances" in request
    if by_rows == ("inputs" in request):
        raise Refusal(400, 'The body must have one of "instances" and "inputs".')
    if by_rows:
        value = _column(request["instances"], input_name)
    else:
        value = _named(request["inputs"], input_name)
    if isinstance(value, list) and len(value) > _MOST_PICTURES:
        raise Refusal(413, "A request takes at most %d pictures." % _MOST_PICTURES)
    read = _read_files if kind == "bytes" else _read_pixels
    return Prediction(scale, read(value, input_name), by_rows)


def _signature_of(request, signatures, scales):
    """Scale, kind and input name of the signature that a request asks for."""
    name = request.get("signature_name", DEFAULT_SIGNATURE)
    if not isinstance(name, str):
        raise Refusal(400, '"signature_name" must be a string.')
    known = sorted(
        key
        for key, match in ((key, _SIGNATURE.match(key)) for key in signatures)
        if match and int(match.group(1)) in scales
    )
    if name == DEFAULT_SIGNATURE and name in signatures:
        name = _default_of(signatures)
    if name not in known:
        raise Refusal(
            400,
            'Serving signature name: "%s" not found in signature def; there are %s.'
            % (name[:100] or DEFAULT_SIGNATURE, ", ".join(known)),
        )
    scale, kind = _SIGNATURE.match(name).groups()
    (input_name,) = signatures[name].inputs
    return int(scale), kind, input_name


def _default_of(signatures) -> str:
    """The name with a scale of the signature that `serving_default` repeats."""
    default = signatures[DEFAULT_SIGNATURE]
    for name, signature in signatures.items():
        if _SIGNATURE.match(name) and signature.inputs == default.inputs:
            return name
    return ""


def _is_file(value) -> bool:
    return isinstance(value, dict) and set(value) == {"b64"}


def _named(value, name: str):
    """The value of input `name`, which an object names and anything else is."""
    if not isinstance(value, dict) or _is_file(value):
        return value
    if set(value) != {name}:
        raise Refusal(400, 'The one input here is "%s".' % name)
    return value[name]


def _column(instances, name: str) -> list:
    if not isinstance(instances, list) or not instances:
        raise Refusal(400, '"instances" must be a list of at least one value.')
    return [_named(value, name) for value in instances]


def _read_files(value, name: str) -> List[bytes]:
    if not isinstance(value, list) or not value:
        raise Refusal(400, '"%s" takes a list of {"b64": ...} objects.' % name)
    files = []
    for item in value:
        if not _is_file(item) or not isinstance(item["b64"], str):
            raise Refusal(400, '"%s" takes pictures as {"b64": ...} objects.' % name)
        text = item["b64"].rstrip("=")
        try:
            decoded = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise Refusal(400, 'The value of "b64" is not base64.') from None
        files.append(decoded)
    return files


def _read_pixels(value, name: str) -> np.ndarray:
    try:
        pixels = np.array(value)
        if pixels.dtype.kind not in "iuf":
            raise ValueError
        # A number beyond the range of float32 becomes infinite, and is refused below.
        with np.errstate(over="ignore"):
            pixels = pixels.astype(np.float32)
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise Refusal(400, '"%s" takes numbers, nested to one shape.' % name) from None
    if pixels.ndim != 4 or pixels.shape[-1] != 3 or 0 in pixels.shape:
        raise Refusal(
            400,
            '"%s" has shape %s; it takes [batch, height, width, 3].' % (name, list(pixels.shape)),
        )
    if not np.isfinite(pixels).all():
        raise Refusal(400, '"%s" holds numbers that are not finite.' % name)
    return pixels


def response(results: list, by_rows: bool) -> bytes:
    """The body of a response.

    Args:
      results: PNG files as bytes, or float32 [height, width, 3] pictures.
      by_rows: whether the request was so.
    """
    values = ",".join(_file(one) if isinstance(one, bytes) else _decimals(one) for one in results)
    name = "predictions" if by_rows else "outputs"
    return ('{"%s": [%s]}' % (name, values)).encode("ascii")


def _file(content: bytes) -> str:
    return '{"b64": "%s"}' % base64.b64encode(content).decode("ascii")


def _decimals(picture: np.ndarray) -> str:
    """A float32 picture as JSON; nine digits tell every float32 from its neighbours."""
    row = "[%s]" % ",".join(["[%.9g,%.9g,%.9g]"] * picture.shape[1])
    return "[%s]" % ",".join(row % tuple(line.ravel().tolist()) for line in picture)


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
            "dtype": "DT_" + tf.as_dtype(info.dtype).name.upper().replace("FLOAT32", "FLOAT"),
            "tensor_shape": {
                "dim": [{"size": str(dim.size), "name": dim.name} for dim in info.tensor_shape.dim],
                "unknown_rank": info.tensor_shape.unknown_rank,
            },
            "name": info.name,
        }
        for key, info in infos.items()
    }


def _one_line(error) -> str:
    return str(error).split("\n")[0][:200]
