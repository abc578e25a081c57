"""SRDRM in every form in which a network is used: all give the picture of the checkpoint."""

import json
import os

import numpy as np
import pytest
from PIL import Image

from bsrn_estimator.checkpoints import keras_file, trained
from bsrn_estimator.engines import cache, onnx_network
from bsrn_estimator.engines.runtimes import ONNXRUNTIME
from bsrn_estimator.export import export
from bsrn_estimator.export.exported import ExportedNetwork
from bsrn_estimator.export.options import ExportOptions
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.networks.precision import FLOAT32
from bsrn_estimator.networks.srdrm import Srdrm
from bsrn_estimator.serve.model import Model
from tests.support import in_process, srdrm_golden, tiny

LR = tiny.picture(3, 13, 16)
NETWORK = Srdrm()


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A file of Keras with random weights that drive no pixel to the ends of the range."""
    shapes = NETWORK.weight_shapes()
    order = [pair for layer in NETWORK.keras_layers() for pair in layer.weights]
    drawn = srdrm_golden.random_weights([(theirs, shapes[ours]) for theirs, ours in order])
    path = str(tmp_path_factory.mktemp("weights") / "random.h5")
    keras_file.write(path, NETWORK, {ours: value for (_, ours), value in zip(order, drawn)})
    return path


@pytest.fixture(scope="module")
def expected(checkpoint):
    with Upscaler(trained.find(checkpoint)) as upscaler:
        return upscaler.upscale(LR, 2)


def exported(checkpoint, folder, kind):
    options = ExportOptions(checkpoint=checkpoint, export_dir=str(folder), export_format=kind)
    assert export.run(options) == 0
    name = {"saved_model": os.path.join("saved_model", "1"), "frozen": "srdrm_x2.pb"}
    return str(folder / name.get(kind, "srdrm_x2.onnx"))


@pytest.mark.parametrize("kind", ["saved_model", "frozen"])
def test_exports_of_tensorflow(kind, checkpoint, expected, tmp_path):
    path = exported(checkpoint, tmp_path, kind)
    network = ExportedNetwork(path)
    assert network.scales == (2,) and network.overlap == NETWORK.overlap
    with Upscaler(network) as upscaler:
        np.testing.assert_allclose(upscaler.upscale(LR, 2), expected, atol=2e-3)
    if kind == "saved_model":
        model = Model(path)
        found = model.upscale(LR[np.newaxis].astype(np.float32), 2)[0]
        model.close()
        np.testing.assert_allclose(found, expected, atol=2e-3)
        assert model.overlap == NETWORK.overlap


def test_onnx_and_the_cache_of_a_file_of_keras(checkpoint, expected, tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    options = ExportOptions(checkpoint=checkpoint)
    assert cache.found(checkpoint, options) is None
    models = cache.make(checkpoint, options)
    network = onnx_network.OnnxNetwork(models, ONNXRUNTIME, FLOAT32, 1, checkpoint)
    assert network.tile(2) == 224 and network.overlap == NETWORK.overlap
    with Upscaler(network) as upscaler:
        assert upscaler.names == ("ensemble",)
        np.testing.assert_allclose(upscaler.upscale(LR, 2), expected, atol=2e-3)
    assert cache.found(checkpoint, options) == models
    # Another file of the same name has models of its own.
    other = str(tmp_path / os.path.basename(checkpoint))
    with open(checkpoint, "rb") as file, open(other, "wb") as copy:
        copy.write(file.read())
    assert cache.found(other, options) == models
    weights = keras_file.weights_of(checkpoint)
    weights["srdrm/last_conv/bias"] = weights["srdrm/last_conv/bias"] + np.float32(0.1)
    keras_file.write(other, NETWORK, weights)
    assert cache.found(other, options) is None


def test_predict(checkpoint, expected, tmp_path):
    Image.fromarray(LR).save(str(tmp_path / "lr.png"))
    command = ["--mode=predict", "--checkpoint=" + checkpoint, "--input=%s" % (tmp_path / "lr.png")]
    command += ["--device=cpu", "--nomixed_precision", "--engine=tensorflow"]
    assert in_process.run(command + ["--output_dir=%s" % (tmp_path / "plain")]) == 0
    (path,) = (tmp_path / "plain").rglob("*.png")
    made = np.asarray(Image.open(str(path)))
    assert np.abs(made.astype(int) - np.rint(expected)).max() <= 1
    turned = ["--self_ensemble", "--output_dir=%s" % (tmp_path / "turned")]
    assert in_process.run(command + turned) == 0
    (path,) = (tmp_path / "turned").rglob("*.png")
    assert np.asarray(Image.open(str(path))).shape == (26, 32, 3)
    other = tmp_path / "other"
    assert in_process.run(command + ["--output_dir=%s" % other, "--scales=4"]) == 2
    assert not other.exists()
    in_process.reset()


def test_tiles_equal_the_whole_where_they_reach_as_far_as_the_field(checkpoint):
    lr = tiny.picture(4, 70, 52)
    with Upscaler(trained.find(checkpoint)) as whole:
        expected = whole.upscale(lr, 2)
    with Upscaler(trained.find(checkpoint), tile=50, overlap=22) as upscaler:
        assert upscaler.tiles(70, 52, 2) > 1
        np.testing.assert_allclose(upscaler.upscale(lr, 2), expected, atol=1e-3)
    with Upscaler(trained.find(checkpoint), tile=50, overlap=16) as upscaler:
        assert np.abs(upscaler.upscale(lr, 2) - expected).max() > 1e-3


def test_an_export_says_what_it_is(checkpoint, tmp_path):
    path = exported(checkpoint, tmp_path, "frozen")
    with open(path + ".json") as file:
        said = json.load(file)
    assert said["hyper_parameters"] == {"scales": [2], "output_kernel": 5}
    assert (said["pictures"]["overlap"], said["pictures"]["hr_tile"]) == (12, 448)
