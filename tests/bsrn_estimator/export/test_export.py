"""Exports: golden values, other runtimes' rules, hostile bytes, files."""

import io
import json
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image
from tensorflow.core.protobuf import saved_model_pb2

from bsrn_estimator.checkpoints import trained
from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.export import about, export, exported, graph
from bsrn_estimator.export.exported import ExportedNetwork
from bsrn_estimator.export.options import ExportOptions
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.networks.choice import OutputChoice
from bsrn_estimator.pictures.picture import to_uint8
from bsrn_estimator.pictures.tiling import shape_for
from tests.support.golden import FORWARD_BOUND, Golden


@pytest.fixture(scope="module")
def golden():
    return Golden("multi_scale")


@pytest.fixture(scope="module")
def options(golden, tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("export"))

    def make(**kwargs):
        values = {
            "export_dir": folder,
            "checkpoint": golden.checkpoint,
            "given": {"recursions": 4, "recursion_frequency": 1},
        }
        return ExportOptions(**dict(values, **kwargs))

    return make


@pytest.fixture(scope="module")
def folder(options):
    """A SavedModel of all scales, with a bound of 2000 pixels."""
    assert export.run(options(max_pixels=2000)) == 0
    return os.path.join(options().export_dir, "saved_model", "1")


@pytest.fixture(scope="module")
def loaded(folder):
    """A function that runs a signature of the SavedModel on one input."""
    with tf.Graph().as_default(), tf.Session() as session:
        model = tf.saved_model.load(session, ["serve"], folder)

        def run(name, value):
            signature = model.signature_def[name]
            (given,), (result,) = signature.inputs.values(), signature.outputs.values()
            return session.run(result.name, {given.name: value})

        run.signatures = model.signature_def
        yield run


def _encoded(pixels, form="PNG"):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def _decoded(content):
    return np.asarray(Image.open(io.BytesIO(content)))


def _expected(golden, scale):
    return np.clip(golden.forward["x%d/ensemble" % scale], 0, 255)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_saved_model_gives_the_golden_values(golden, loaded, scale):
    lr = golden.forward["lr"]
    batch = np.stack([lr, lr[::-1]]).astype(np.float32)
    result = loaded("x%d_rgb" % scale, batch)
    assert result.shape == (2, scale * lr.shape[0], scale * lr.shape[1], 3)
    assert np.abs(result[0] - _expected(golden, scale)).max() < FORWARD_BOUND
    assert result.min() >= 0 and result.max() <= 255
    (png,) = loaded("x%d_bytes" % scale, [_encoded(lr)])
    assert np.abs(_decoded(png) - _expected(golden, scale)).max() < 0.5 + FORWARD_BOUND


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
    contents = [_encoded(lr), _encoded(lr[:5]), _encoded(lr, "JPEG"), _encoded(lr[..., 0])]
    results = [_decoded(png) for png in loaded("x2_bytes", contents)]
    height, width = lr.shape[:2]
    assert [r.shape[:2] for r in results] == [
        (2 * height, 2 * width),
        (10, 2 * width),
        (2 * height, 2 * width),
        (2 * height, 2 * width),
    ]
    jpeg = loaded("x2_rgb", _decoded(contents[2])[np.newaxis].astype(np.float32))[0]
    assert np.abs(results[2] - jpeg).max() < 4  # decoders of JPEG differ by a little
    assert len(loaded("x2_bytes", [])) == 0


class _NetworkAsExported(trained.TrainedNetwork):
    """A checkpoint that adds up its outputs as exports do, so that tiles alone may differ."""

    def open(self, scales, choice):
        with tf.Graph().as_default():
            lr = tf.placeholder(tf.float32, [1, None, None, 3])
            hr = self.network.exported(lr, scales[0], choice)
            session = self.session()
        return ("ensemble",), lambda picture, _: [session.run(hr, {lr: picture})], session.close


@pytest.mark.parametrize("height,width", [(61, 40), (33, 90), (29, 29), (5, 30)])
def test_tiles_in_the_graph_are_those_of_the_upscaler(golden, height, width):
    lr = np.random.RandomState(2).randint(0, 256, (height, width, 3)).astype(np.uint8)
    network = _NetworkAsExported(golden.checkpoint, golden.network)
    with Upscaler(network, tile=29, overlap=11, scales=[2]) as upscaler:
        expected = to_uint8(upscaler.upscale(lr, 2))
    with tf.Graph().as_default():
        picture = tf.placeholder(tf.uint8, [None, None, 3])

        def upscale(tile):
            hr = golden.network.exported(tf.cast(tile[tf.newaxis], tf.float32), 2, OutputChoice())
            return graph.to_uint8(hr[0])

        upscale(picture)  # makes the variables outside of the loops
        tiled = graph.upscale_in_tiles(picture, 2, upscale, side=29, overlap=11)
        with network.session() as session:
            result = session.run(tiled, {picture: lr})
    assert result.shape == (2 * height, 2 * width, 3)
    assert np.abs(result - expected.astype(int)).max() <= (1 if TF2 else 0)


@pytest.mark.parametrize("side,overlap", [(29, 11), (25, 12), (8, 0)])
def test_shapes_in_the_graph_are_those_of_the_upscaler(side, overlap):
    random = np.random.RandomState(4)
    sizes = [(1, 1), (1, 900), (900, 1), (side, side), (side, side + 1), (2040, 1356)]
    sizes += [tuple(random.randint(1, 400, 2)) for _ in range(60)]
    with tf.Graph().as_default(), tf.Session() as session:
        height, width = tf.placeholder(tf.int32, []), tf.placeholder(tf.int32, [])
        shape = graph.shape_for(height, width, side, overlap)
        for size in sizes:
            found = session.run(shape, dict(zip((height, width), size)))
            assert tuple(found) == shape_for(size[0], size[1], side, overlap), size


def _png_of_size(height, width):
    def chunk(name, content):
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content) & 0xFFFFFFFF)
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def _jpeg_of_size(height, width):
    content = bytearray(_encoded(np.zeros((8, 8, 3), np.uint8), "JPEG"))
    start = content.index(b"\xff\xc0")
    content[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def test_hostile_bytes_are_an_error_and_nothing_more(golden, loaded):
    png = _encoded(golden.forward["lr"])
    jpeg = _encoded(golden.forward["lr"], "JPEG")
    hostile = [b"", b"a", b"words and words", png[:8], png[:20], png[: len(png) // 2], jpeg[:3]]
    hostile += [jpeg[: len(jpeg) // 3], png[:33] + b"\0" * 40, png.replace(b"IHDR", b"IDAT")]
    hostile += [_encoded(golden.forward["lr"], form) for form in ("BMP", "GIF", "WEBP")]
    large = [_png_of_size(50000, 50000), _png_of_size(2**31 - 1, 2**31 - 1), _png_of_size(2001, 1)]
    large += [_jpeg_of_size(60000, 60000), _jpeg_of_size(48, 64)]
    for content in hostile + large + [_png_of_size(0, 5), _png_of_size(2**31 + 1, 1)]:
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            loaded("x2_bytes", [content])
        if content in large:
            assert "more than 2000 pixels" in str(caught.value)
    # It still works.
    assert _decoded(loaded("x2_bytes", [png])[0]).shape[0] == 2 * golden.forward["lr"].shape[0]


@pytest.mark.parametrize("seed", range(3))
def test_flipped_bits(golden, loaded, seed):
    random = np.random.RandomState(seed)
    for form in ("PNG", "JPEG"):
        content = bytearray(_encoded(golden.forward["lr"], form))
        for place in random.randint(0, len(content), 3):
            content[place] ^= 1 << random.randint(8)
        try:
            loaded("x2_bytes", [bytes(content)])
        except tf.errors.InvalidArgumentError:
            pass


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
    assert np.abs(result - _expected(golden, 4)).max() < FORWARD_BOUND


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


def test_what_an_export_says_of_itself(golden, folder):
    with open(about.path_of(folder)) as file:
        info = json.load(file)
    assert info["scales"] == [2, 3, 4, 8]
    assert info["step"] == 0
    assert info["hyper_parameters"]["recursions"] == 4
    assert info["hyper_parameters"]["rgb_mean"] == [127.5] * 3
    assert info["pictures"]["colour_order"] == "RGB"
    assert info["pictures"]["value_range"] == [0, 255]
    assert info["pictures"]["max_pixels_of_bytes"] == 2000


def test_frozen_graphs(golden, options):
    lr = golden.forward["lr"]
    assert export.run(options(export_format="frozen", scales=(2, 3))) == 0
    assert export.run(options(export_format="frozen", scales=(4,), export_size=lr.shape[:2])) == 0
    fixed = "bsrn_x4_%dx%d.pb" % lr.shape[:2]
    for name, scale in [("bsrn_x2.pb", 2), ("bsrn_x3.pb", 3), (fixed, 4)]:
        network = ExportedNetwork(os.path.join(options().export_dir, name))
        assert network.scales == (scale,)
        with Upscaler(network) as upscaler:
            result = upscaler.upscale(lr, scale)
        assert np.abs(result - _expected(golden, scale)).max() < FORWARD_BOUND
    assert network.fixed_shape == lr.shape[:2]
    graph = tf.GraphDef()
    with open(os.path.join(options().export_dir, fixed), "rb") as file:
        graph.ParseFromString(file.read())
    (given,) = [node for node in graph.node if node.op == "Placeholder"]
    assert given.name == "lr"
    sides = [side.size for side in given.attr["shape"].shape.dim]
    assert sides == [1, lr.shape[0], lr.shape[1], 3]
    assert graph.node[-1].name == "hr"
    assert not [name for node in graph.node for name in node.input if name.startswith("^")]


def test_fixed_shape_in_tiles_and_its_refusals(golden, options):
    assert export.run(options(export_format="frozen", scales=(2,), export_size=(30, 34))) == 0
    network = ExportedNetwork(os.path.join(options().export_dir, "bsrn_x2_30x34.pb"))
    lr = np.random.RandomState(1).randint(0, 256, (41, 50, 3))
    with Upscaler(ExportedNetwork(os.path.join(options().export_dir, "bsrn_x2.pb"))) as upscaler:
        expected = upscaler.upscale(lr, 2)
    with Upscaler(network) as upscaler:
        assert upscaler.tiles(41, 50, 2) == 9
        assert np.abs(upscaler.upscale(lr, 2) - expected).max() < 0.5
        with pytest.raises(UserError, match="smaller than the 30 x 34"):
            upscaler.upscale(lr[:29], 2)
    with pytest.raises(UserError, match="square or free shape"):
        Upscaler(network, self_ensemble=True)


def test_onnx(golden, options):
    ort = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    lr = golden.forward["lr"]
    assert export.run(options(export_format="onnx", scales=(3, 8))) == 0
    assert export.run(options(export_format="onnx", scales=(4,), export_size=lr.shape[:2])) == 0
    fixed = "bsrn_x4_%dx%d.onnx" % lr.shape[:2]
    for name, scale in [("bsrn_x3.onnx", 3), ("bsrn_x8.onnx", 8), (fixed, 4)]:
        path = os.path.join(options().export_dir, name)
        session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
        (result,) = session.run(["hr"], {"lr": lr[np.newaxis].astype(np.float32)})
        assert np.abs(result[0] - _expected(golden, scale)).max() < 1e-2
        about = json.loads(session.get_modelmeta().custom_metadata_map["bsrn_estimator"])
        assert about["scales"] == [scale] and about["pictures"]["layout"] == "NHWC"
        shape = session.get_inputs()[0].shape
        if scale == 4:
            assert shape == [1, lr.shape[0], lr.shape[1], 3]
        else:
            assert shape == ["batch", "height", "width", 3]
            batch = np.zeros((2, 5, 7, 3), np.float32)
            assert session.run(["hr"], {"lr": batch})[0].shape == (2, 5 * scale, 7 * scale, 3)


def test_last_output_and_a_shorter_ensemble(golden, options, tmp_path):
    for kwargs, expected in [
        ({"output": "last"}, golden.forward["x2/recursion4"]),
        (
            {"first_output": 2},
            (golden.forward["x2/recursion3"] + 2 * golden.forward["x2/recursion4"]) / 3,
        ),
    ]:
        target = str(tmp_path / "_".join(kwargs))
        common = {"export_dir": target, "export_format": "frozen", "scales": (2,)}
        export.run(options(**dict(common, **kwargs)))
        network = ExportedNetwork(os.path.join(target, "bsrn_x2.pb"))
        with Upscaler(network, OutputChoice(**kwargs)) as upscaler:
            result = upscaler.upscale(golden.forward["lr"], 2)
        assert np.abs(result - np.clip(expected, 0, 255)).max() < FORWARD_BOUND


def test_a_network_of_one_scale(tmp_path):
    golden = Golden("single_scale_stateless")
    options = ExportOptions(
        export_dir=str(tmp_path),
        checkpoint=golden.checkpoint,
        given={"recursions": 4, "recursion_frequency": 2},
    )
    assert export.run(options) == 0
    with Upscaler(ExportedNetwork(str(tmp_path))) as upscaler:
        result = upscaler.upscale(golden.forward["lr"], 4)
    assert np.abs(result - _expected(golden, 4)).max() < FORWARD_BOUND


def test_nothing_is_overwritten_unasked(golden, options, tmp_path):
    common, make = {"export_dir": str(tmp_path), "scales": (2,)}, options
    for kind, name in [("saved_model", "saved_model/1"), ("frozen", "bsrn_x2.pb")]:
        assert export.run(make(export_format=kind, **common)) == 0
        with pytest.raises(UserError, match="exists; add --overwrite"):
            export.run(make(export_format=kind, **common))
        assert export.run(make(export_format=kind, overwrite=True, **common)) == 0
        assert (tmp_path / name).exists()
    left = sorted(os.listdir(str(tmp_path)) + os.listdir(str(tmp_path / "saved_model")))
    assert left == ["1", "bsrn_x2.pb", "bsrn_x2.pb.json", "saved_model"]


def test_refusals(options):
    for kwargs, words in [
        ({"export_format": "tflite"}, "--export_format takes saved_model or frozen or onnx"),
        ({"output": "all"}, "--output takes ensemble or last"),
        ({"export_size": (5, 7)}, "--export_size fixes the shape"),
        ({"export_size": (0, 7), "export_format": "onnx"}, "--export_size takes HEIGHT,WIDTH"),
        ({"max_pixels": 0}, "--max_pixels must be at least 1"),
        ({"first_output": 4}, "--first_output must be from 0 to 3"),
        ({"scales": (2, 5)}, "--scales=5: .* has x2, x3, x4, x8"),
        ({"export_dir": os.devnull}, "--export_dir=/dev/null.* cannot be written"),
    ]:
        with pytest.raises(UserError, match=words):
            export.run(options(**kwargs))


def test_missing_packages_for_onnx_are_said(options, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(UserError, match="needs the packages onnx and tf2onnx"):
        export.run(options(export_format="onnx"))


def test_damaged_exports_are_one_sentence(options, folder, tmp_path):
    assert exported.is_export(folder)
    assert exported.is_export(options().export_dir)
    assert not exported.is_export(str(tmp_path))
    path = tmp_path / "a.pb"
    path.write_bytes(b"no graph")
    with pytest.raises(UserError, match=r"has no .*a\.pb\.json"):
        ExportedNetwork(str(path))
    about = dict(export_version=1, scales=[2], output="ensemble", first_output=0, step=0)
    about.update(network="", pictures={"lr_size": None})
    (tmp_path / "a.pb.json").write_text(json.dumps(about))
    with pytest.raises(UserError, match=r"a\.pb cannot be loaded"):
        Upscaler(ExportedNetwork(str(path)))
    for text, words in [
        ("{", "cannot be read"),
        ("{}", "does not describe an export"),
        (json.dumps(dict(about, export_version=2)), "newer version"),
    ]:
        (tmp_path / "a.pb.json").write_text(text)
        with pytest.raises(UserError, match=words):
            ExportedNetwork(str(path))
    with pytest.raises(UserError, match="was exported with --output=ensemble"):
        Upscaler(ExportedNetwork(folder), OutputChoice("last"))
