"""TensorFlow Serving's REST form on a real server."""

import base64
import gzip
import json

import numpy as np

from tests.bsrn_estimator.serve.support import (
    PREDICT,
    b64,
    bomb,
    file_of,
    pixels,
    random_picture,
    same,
)


def predict(server, request, path=PREDICT):
    status, _, body = server.ask(path, json.dumps(request).encode())
    return status, json.loads(body.decode())


def test_predict_takes_and_gives_decimals_by_rows_and_by_columns(server, expected):
    lr = [random_picture(seed, 5, 7) for seed in (5, 6)]
    values = [picture.tolist() for picture in lr]
    wanted = [expected.rgb(picture, 2) for picture in lr]
    asked = {"signature_name": "x2_rgb", "instances": values}
    for request in (
        asked,
        dict(asked, instances=[{"lr": value} for value in values]),
        {"signature_name": "x2_rgb", "inputs": values},
        {"signature_name": "x2_rgb", "inputs": {"lr": values}},
    ):
        status, answer = predict(server, request)
        (name,) = answer
        assert (status, name) == (200, "predictions" if "instances" in request else "outputs")
        np.testing.assert_allclose(answer[name], wanted, atol=1e-3)


def test_predict_takes_and_gives_bytes(server, expected):
    files = [file_of(random_picture(7, 6, 8)), file_of(random_picture(8, 30, 4), "JPEG")]
    encoded = [b64(file) for file in files]
    wanted = [expected.png(file, 2) for file in files]
    for instances in (encoded, [{"bytes": one} for one in encoded]):
        status, answer = predict(server, {"signature_name": "x2_bytes", "instances": instances})
        assert status == 200
        for got, picture in zip(answer["predictions"], wanted):
            assert same(pixels(base64.b64decode(got["b64"])), picture)


def test_predict_takes_what_tensorflow_serving_takes(server, expected):
    """base64 in lines, without padding and with; gzip; an empty name; keys in any order."""
    file = file_of(random_picture(14, 6, 8))
    wanted = expected.png(file, 3)
    for encoded in (
        base64.encodebytes(file).decode(),
        base64.b64encode(file).decode().rstrip("="),
        " \t\r\n".join(base64.b64encode(file).decode()),
    ):
        request = {"instances": [{"b64": encoded}], "signature_name": "", "more": [{"a": [1]}]}
        body = gzip.compress(json.dumps(request).encode())
        status, _, body = server.ask(PREDICT, body, headers={"Content-Encoding": "gzip"})
        assert status == 200, body
        (got,) = json.loads(body.decode())["predictions"]
        assert same(pixels(base64.b64decode(got["b64"])), wanted)


def test_predict_takes_pictures_of_several_sizes(server, expected):
    lr = [random_picture(15, 5, 7), random_picture(16, 9, 3)]
    request = {"inputs": [one.tolist() for one in lr], "signature_name": "x2_rgb"}
    status, answer = predict(server, request)
    assert status == 200
    for got, picture in zip(answer["outputs"], lr):
        np.testing.assert_allclose(got, expected.rgb(picture, 2), atol=1e-3)


def test_the_limits_hold_while_json_is_read(server):
    """What is beyond them is refused, though what follows is no JSON: it has not been read."""
    row = ",".join(["[1,2,3]"] * 1000)
    rows = ",".join(["[%s]" % row] * 101)
    nonsense = " " * 2**17 + "nonsense"  # further on than what the parser takes at a time
    head = '{"signature_name": "x2_rgb", "instances": [['
    status, sentence = server.refused(PREDICT, (head + rows + nonsense).encode())
    assert (status, "400000 pixels" in sentence) == (413, True)
    status, _ = server.refused(PREDICT, ('{"inputs": [[%s],' % rows + nonsense).encode())
    assert status == 413
    file = json.dumps(b64(bomb(9000)))
    status, _ = server.refused(PREDICT, ('{"instances": [%s,' % file + nonsense).encode())
    assert status == 413
    files = ",".join(['{"b64": ""}'] * 257)
    status, sentence = server.refused(PREDICT, ('{"instances": [%s,' % files + nonsense).encode())
    assert (status, "256" in sentence) == (413, True)


def test_predict_without_a_signature_takes_the_default(server, expected):
    file = file_of(random_picture(9, 6, 8))
    status, answer = predict(
        server, {"inputs": {"bytes": [b64(file)]}}, "/v1/models/bsrn/versions/7:predict"
    )
    assert status == 200
    (got,) = answer["outputs"]
    assert same(pixels(base64.b64decode(got["b64"])), expected.png(file, 3))


def test_status_and_metadata_have_the_form_of_tensorflow_serving(server):
    for path in ("/v1/models/bsrn", "/v1/models/bsrn/versions/7"):
        status, _, body = server.ask(path)
        assert json.loads(body.decode()) == {
            "model_version_status": [
                {
                    "version": "7",
                    "state": "AVAILABLE",
                    "status": {"error_code": "OK", "error_message": ""},
                }
            ]
        }
    answer = json.loads(server.ask("/v1/models/bsrn/metadata")[2].decode())
    assert answer["model_spec"] == {"name": "bsrn", "signature_name": "", "version": "7"}
    held = answer["metadata"]["signature_def"]["signature_def"]
    assert set(held) == {"x2_rgb", "x2_bytes", "x3_rgb", "x3_bytes", "serving_default"}
    lr = held["x3_rgb"]["inputs"]["lr"]
    assert lr["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in lr["tensor_shape"]["dim"]] == ["-1", "-1", "-1", "3"]
    assert held["x2_bytes"]["outputs"]["png_bytes"]["dtype"] == "DT_STRING"
    assert held["x2_bytes"]["method_name"] == "tensorflow/serving/predict"
