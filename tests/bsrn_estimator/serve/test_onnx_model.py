"""A server without TensorFlow, beside one with it."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from bsrn_estimator.checkpoints import PRETRAINED
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.checkpoints.options import UseOptions
from bsrn_estimator.engines import cache
from bsrn_estimator.engines.choice import Wish, find
from bsrn_estimator.errors import UserError
from bsrn_estimator.serve import signatures
from bsrn_estimator.serve.model import Model
from bsrn_estimator.serve.onnx_model import OnnxModel
from tests.bsrn_estimator.serve.support import b64, file_of, pixels, random_picture, running, same
from tests.support import checkpoints

ENGINES = ("onnxruntime", "openvino")


@pytest.fixture
def loaded():
    pytest.importorskip("onnxruntime")
    network = find(UseOptions(checkpoint=PRETRAINED), Wish("onnxruntime", threads=1))
    model = OnnxModel(network, max_pixels=300)
    yield model
    model.close()


@pytest.mark.parametrize("engine", ENGINES)
def test_both_routes(engine):
    pytest.importorskip(engine)
    lr = random_picture(5, 41, 23)
    flags = "--model=pretrained", "--tile=36", "--scales=2"
    step = checkpoints.shipped_step(PRETRAINED)
    with running("--engine=" + engine, *flags) as light, running(
        "--engine=tensorflow", *flags
    ) as server:
        assert "(version %d, x2, float32 by %s)" % (step, engine) in light.line
        assert "(version %d, x2, float32 by tensorflow)" % step in server.line
        request = {"instances": [b64(file_of(lr))], "signature_name": "x2_bytes"}
        answers = []
        for one in (light, server):
            body = one.ask("/upscale?scale=2", file_of(lr))[2]
            answer = one.ask("/v1/models/bsrn:predict", json.dumps(request).encode())
            assert answer[0] == 200
            metadata = json.loads(one.ask("/v1/models/bsrn/metadata")[2].decode())
            answers.append((pixels(body), json.loads(answer[2].decode()), metadata))
        assert same(answers[0][0], answers[1][0])
        numbers = {"inputs": [lr.tolist()], "signature_name": "x2_rgb"}
        status, _, body = light.ask("/v1/models/bsrn:predict", json.dumps(numbers).encode())
        found = np.asarray(json.loads(body.decode())["outputs"])
        assert status == 200 and found.min() >= 0 and found.max() <= 255
        held = [one[2]["metadata"]["signature_def"]["signature_def"] for one in answers]
        assert set(held[0]) == {"x2_bytes", "x2_rgb", "serving_default"}
        assert {key: held[0][key]["inputs"].keys() for key in held[0]} == {
            key: held[1][key]["inputs"].keys() for key in held[0]
        }


def test_the_signatures_are_those_of_a_saved_model(export):
    model = Model(export)
    assert {name: _types(one) for name, one in model.signatures.items()} == {
        name: _types(one) for name, one in signatures.of_scales(model.scales).items()
    }
    model.close()


def _types(signature):
    return [
        {key: (tensor.dtype, tensor.shape) for key, tensor in tensors.items()}
        for tensors in (signature.inputs, signature.outputs)
    ] + [signature.method_name]


@pytest.mark.parametrize("name", ["PNG", "JPEG"])
def test_bytes_are_decoded_as_the_signature_does(export, loaded, name):
    other = Model(export, max_pixels=300)
    random = np.random.RandomState(1)
    pictures = [random_picture(1, 15, 20), random_picture(1, 15, 20)[..., 0]]
    if name == "PNG":
        pictures += [
            random.randint(0, 256, (15, 20, 4)).astype(np.uint8),
            random.randint(0, 2**16, (15, 20)).astype(np.uint16),
        ]
    for picture in pictures:
        file = file_of(picture, name)
        assert same(loaded.decode(file), other.decode(file))
    file = file_of(pictures[0], name)
    for damaged, words in [
        (file[:200], "damaged or cut short"),
        (b"", "neither a PNG nor a JPEG"),
        (file_of(pictures[0], "GIF"), "neither a PNG nor a JPEG"),
        (file_of(random_picture(1, 16, 20), name), "300 pixels"),
    ]:
        with pytest.raises(ValueError, match=words):
            loaded.decode(damaged)
    assert np.array_equal(pixels(loaded.encode(pictures[0])), pictures[0])
    other.close()


def test_refusals(tmp_path):
    pytest.importorskip("onnxruntime")
    network = find(
        UseOptions(checkpoint=cache.shipped(checkpoint_files.named(PRETRAINED))[2]),
        Wish("onnxruntime"),
    )
    with pytest.raises(UserError, match="--scales=3"):
        OnnxModel(network, [3])
    network.fixed_shape = (20, 30)
    with pytest.raises(UserError, match="20 x 30 pixels alone"):
        OnnxModel(network)
    command = [sys.executable, "-m", "bsrn_estimator.serve", "--port=0", "--engine=onnxruntime"]
    os.makedirs(str(tmp_path / "saved"))
    (tmp_path / "saved" / "saved_model.pb").touch()
    done = subprocess.run(
        command + ["--model=%s" % (tmp_path / "saved")], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "takes a checkpoint or an ONNX model, and" in done.stderr
