"""Which engine is taken, what it gives beside TensorFlow, and what it refuses."""

import os
import sys

import numpy as np
import pytest

from bsrn_estimator.checkpoints import PRETRAINED, SHIPPED, trained
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.engines import cache, choice, runtimes
from bsrn_estimator.engines.choice import Wish
from bsrn_estimator.errors import UserError
from bsrn_estimator.export import export
from bsrn_estimator.export.options import ExportOptions
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.pictures.picture import to_uint8
from tests.support import tiny


def levels_off(network, expected, lr, scale, **kwargs):
    """By how many grey levels the results of two networks differ at most."""
    pictures = []
    for one in (network, expected):
        with Upscaler(one, scales=[scale], **kwargs) as upscaler:
            pictures.append(to_uint8(upscaler.upscale(lr, scale)).astype(int))
    assert pictures[0].shape == (scale * lr.shape[0], scale * lr.shape[1], 3)
    return np.abs(pictures[0] - pictures[1]).max()


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_shipped_network_is_that_of_the_checkpoint(engine, options, scale):
    expected = trained.find(PRETRAINED)
    wish = Wish(engine, mixed=False, threads=1)
    network = choice.find(options(checkpoint=PRETRAINED, given={}), wish)
    assert (network.engine, network.precision) == (engine, "float32")
    assert network.scales == expected.scales and network.step == expected.step
    assert network.name == expected.name
    assert network.identity() == expected.identity()
    lr = tiny.picture(scale, 53, 41)
    assert levels_off(network, expected, lr, scale) <= 1
    assert levels_off(network, expected, lr, scale, tile=37, self_ensemble=True) <= 1


@pytest.mark.parametrize("word", SHIPPED)
def test_shipped_models_are_small(word):
    models = cache.shipped(checkpoint_files.named(word))
    assert sorted(models) == [2, 3, 4]
    assert all(os.path.getsize(path) <= 1.5e6 for path in models.values())


def test_a_checkpoint_is_exported_once(engine, options, golden, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert choice.find(options(scales=(3,)), Wish(mixed=False)) is None  # auto exports nothing
    network = choice.find(options(scales=(3,)), Wish(engine, mixed=False, threads=1))
    expected = trained.find(golden.checkpoint, given=options().given)
    lr = tiny.picture(1, 19, 31)
    assert levels_off(network, expected, lr, 3) <= 1
    assert network.identity() == expected.identity()
    made = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.onnx")}
    assert [path.name for path in made] == ["bsrn_x3.onnx"]
    with monkeypatch.context() as patch:
        patch.setattr(cache, "make", None)
        again = choice.find(options(scales=(3,)), Wish(engine, mixed=False))
        auto = choice.find(options(scales=(3,)), Wish(mixed=False, pixels=lambda: 100))
    assert again.scales == auto.scales == (3,)
    # Another scale joins it; other outputs are other models.
    assert choice.find(options(), Wish(engine)).scales == expected.scales
    assert choice.find(options(output="last", scales=(2,)), Wish(engine)).scales == (2,)
    assert {path: path.stat().st_mtime_ns for path in made} == made
    assert len(list(tmp_path.rglob("scales.json"))) == 2


def test_an_onnx_model_in_the_place_of_a_checkpoint(engine, options, golden, tmp_path):
    made = dict(vars(options(scales=(2,))), export_dir=str(tmp_path), export_format="onnx")
    assert export.run(ExportOptions(**made)) == 0
    path = str(tmp_path / "bsrn_x2.onnx")
    expected = trained.find(golden.checkpoint, given=options().given)
    for name in (engine, "auto"):
        network = choice.find(options(checkpoint=path), Wish(name, mixed=False))
        assert network.scales == (2,)
        assert levels_off(network, expected, tiny.picture(2, 21, 23), 2) <= 1
    with pytest.raises(UserError, match="--engine=tensorflow does not run .*bsrn_x2.onnx"):
        choice.find(options(checkpoint=path), Wish("tensorflow"))
    with pytest.raises(UserError, match="was exported with --output=ensemble"):
        Upscaler(network, options(output="last").choice)
    os.truncate(path, 100)
    with pytest.raises(UserError, match="bsrn_x2.onnx cannot be loaded by"):
        with Upscaler(network) as upscaler:
            upscaler.upscale(tiny.picture(2, 21, 23), 2)


def test_what_auto_takes(options, monkeypatch):
    there = {"tensorflow"}
    monkeypatch.setattr(runtimes, "is_installed", there.__contains__)
    monkeypatch.setattr(choice, "_has_gpu", lambda device: device == "gpu")
    shipped = options(checkpoint=PRETRAINED, given={})

    def taken(pixels=None, wanted=shipped, **wish):
        found = choice.find(wanted, Wish(pixels=lambda: pixels, **wish))
        return found.engine if found else "tensorflow"

    for_large = "tensorflow" if sys.version_info >= (3, 8) else "onnxruntime"
    assert taken(100) == "tensorflow"
    there.add("onnxruntime")
    assert taken(10**6) == "onnxruntime"
    assert taken(10**8) == taken(None) == for_large
    there.remove("tensorflow")
    assert taken(10**8) == taken(None) == "onnxruntime"
    there.add("tensorflow")
    assert taken(10**6, engine="tensorflow") == taken(10**6, device="gpu") == "tensorflow"
    assert taken(10**6, options(checkpoint=PRETRAINED, given={}, output="all")) == "tensorflow"
    there.add("openvino")
    assert taken(10**5) == "onnxruntime"
    assert taken(10**6) == taken(None) == "openvino"
    missing = options(checkpoint="nowhere")
    assert taken(100, missing) == "tensorflow"  # which says what is wrong with it


def test_refusals(options, golden, monkeypatch, tmp_path):
    monkeypatch.setattr(runtimes, "is_installed", lambda engine: False)
    for name in ("onnxruntime", "openvino"):
        words = r"--engine=%s needs .* pip install 'bsrn-estimator\[%s\]'" % (name, name)
        with pytest.raises(UserError, match=words):
            choice.find(options(), Wish(name))
    with pytest.raises(UserError, match=r"pip install .*\[openvino\].*\[onnxruntime\]"):
        choice.find(options(checkpoint="a.onnx"), Wish())
    monkeypatch.setattr(runtimes, "is_installed", lambda engine: True)
    monkeypatch.setattr(runtimes, "processor_flags", set)
    (tmp_path / "a.pb").touch()
    for wanted, wish, words in [
        (options(), Wish("onnxruntime", device="gpu"), "computes on the CPU"),
        (options(), Wish("onnxruntime", mixed=True), "float32 alone"),
        (options(), Wish("openvino", mixed=True), "needs one with bfloat16"),
        (options(output="all"), Wish("openvino"), "gives one output"),
        (options(checkpoint=str(tmp_path / "a.pb")), Wish("openvino"), "and .*a.pb is neither"),
        (options(checkpoint="nowhere"), Wish("openvino"), "nowhere is not a checkpoint"),
        (options(checkpoint=PRETRAINED, given={}, scales=(8,)), Wish("openvino"), "--scales=8"),
    ]:
        with pytest.raises(UserError, match=words):
            choice.find(wanted, wish)


def test_a_cache_that_cannot_be_written(engine, options, monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match="the cache .*file.* cannot be written"):
        choice.find(options(scales=(2,)), Wish(engine))


def test_only_the_checkpoints_used_last_are_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for index in range(11):
        place = os.path.join(cache.folder(), str(index))
        os.makedirs(place)
        listing = os.path.join(place, "scales.json")
        open(listing, "w").close()
        os.utime(listing, (index, index))
    cache._remove_old()
    assert sorted(map(int, os.listdir(cache.folder()))) == list(range(3, 11))


def test_the_folder_of_the_shipped_models_is_that_of_the_checkpoint():
    prefix = checkpoint_files.resolve(PRETRAINED)
    assert checkpoint_files.named(PRETRAINED) == prefix
    assert {os.path.dirname(path) for path in cache.shipped(prefix).values()} == {
        os.path.dirname(prefix)
    }
    assert cache.shipped(os.path.join("runs", "model.ckpt-7")) is None
