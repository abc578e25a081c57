"""The SavedModel: golden values, signatures, and that it needs nothing of this project."""

import os
import subprocess
import sys

import numpy as np
import pytest
from tensorflow.core.protobuf import saved_model_pb2

from tests.bsrn_estimator.export import support
from tests.support.golden import FORWARD_BOUND


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_saved_model_gives_the_golden_values(golden, loaded, scale):
    lr = golden.forward["lr"]
    batch = np.stack([lr, lr[::-1]]).astype(np.float32)
    result = loaded("x%d_rgb" % scale, batch)
    assert result.shape == (2, scale * lr.shape[0], scale * lr.shape[1], 3)
    assert np.abs(result[0] - support.expected(golden, scale)).max() < FORWARD_BOUND
    assert result.min() >= 0 and result.max() <= 255
    (png,) = loaded("x%d_bytes" % scale, [support.encoded(lr)])
    assert (
        np.abs(support.decoded(png) - support.expected(golden, scale)).max() < 0.5 + FORWARD_BOUND
    )


def test_names_of_signatures_and_tensors(loaded):
    signatures = loaded.signatures
    scales = (2, 3, 4, 8)
    names = ["x%d_%s" % (scale, kind) for scale in scales for kind in ("rgb", "bytes")]
    assert sorted(signatures) == sorted(names + ["serving_default"])
    assert list(signatures["x2_rgb"].inputs) == ["lr"]
    assert list(signatures["x2_rgb"].outputs) == ["hr"]
    assert list(signatures["x2_bytes"].inputs) == ["bytes"]
    assert list(signatures["x2_bytes"].outputs) == ["png_bytes"]
    assert signatures["serving_default"] == signatures["x8_bytes"]


def test_bytes_of_several_pictures(golden, loaded):
    lr = golden.forward["lr"]
    contents = [
        support.encoded(lr),
        support.encoded(lr[:5]),
        support.encoded(lr, "JPEG"),
        support.encoded(lr[..., 0]),
    ]
    results = [support.decoded(png) for png in loaded("x2_bytes", contents)]
    height, width = lr.shape[:2]
    assert [r.shape[:2] for r in results] == [
        (2 * height, 2 * width),
        (10, 2 * width),
        (2 * height, 2 * width),
        (2 * height, 2 * width),
    ]
    jpeg = loaded("x2_rgb", support.decoded(contents[2])[np.newaxis].astype(np.float32))[0]
    assert np.abs(results[2] - jpeg).max() < 4  # decoders of JPEG differ by a little
    assert len(loaded("x2_bytes", [])) == 0


_ALONE = """
import sys
assert not any("bsrn" in entry for entry in sys.path)
import numpy as np
import tensorflow.compat.v1 as tf
with tf.Graph().as_default(), tf.Session() as session:
    model = tf.saved_model.load(session, ["serve"], sys.argv[1])
    signature = model.signature_def["x4_rgb"]
    lr = np.load(sys.argv[2])
    hr = session.run(signature.outputs["hr"].name, {signature.inputs["lr"].name: lr})
    np.save(sys.argv[3], hr)
assert not any(name.startswith("bsrn_estimator") for name in sys.modules)
"""


def test_loads_in_a_process_without_the_project(golden, folder, tmp_path):
    np.save(str(tmp_path / "lr.npy"), golden.forward["lr"][np.newaxis].astype(np.float32))
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    command = [sys.executable, "-c", _ALONE, folder, "lr.npy", "hr.npy"]
    subprocess.run(command, check=True, cwd=str(tmp_path), env=environment)
    result = np.load(str(tmp_path / "hr.npy"))[0]
    assert np.abs(result - support.expected(golden, 4)).max() < FORWARD_BOUND


def test_saved_model_cli_shows_every_signature(folder):
    command = os.path.join(os.path.dirname(sys.executable), "saved_model_cli")
    if not os.path.exists(command):
        pytest.skip("saved_model_cli is not beside this Python")
    shown = subprocess.run(
        [command, "show", "--dir", folder, "--all"], stdout=subprocess.PIPE, check=True
    ).stdout.decode()
    for name in ("x2_rgb", "x3_bytes", "x8_rgb", "serving_default"):
        assert "signature_def['%s']" % name in shown
    assert "shape: (-1, -1, -1, 3)" in shown and "tensorflow/serving/predict" in shown


def test_only_operations_that_tensorflow_serving_has(folder):
    parsed = saved_model_pb2.SavedModel()
    with open(os.path.join(folder, "saved_model.pb"), "rb") as file:
        parsed.ParseFromString(file.read())
    operations = {node.op for node in parsed.meta_graphs[0].graph_def.node}
    assert not {op for op in operations if "PyFunc" in op}
    assert not parsed.meta_graphs[0].graph_def.library.function
