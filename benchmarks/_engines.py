"""The network that comes with the project in several engines, for `benchmarks.upscale --engines`.

Each row is measured in a process of its own with one thread: processor time of the second and later
runs of one picture, peak memory, how much area was computed, and PSNR on given pictures. The plain
form is the graph in float32 over the whole picture at once.
"""

import argparse
import importlib.util
import os
import tempfile
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np

from benchmarks import _report
from bsrn_estimator.checkpoints import PRETRAINED, trained
from bsrn_estimator.checkpoints.options import UseOptions
from bsrn_estimator.checkpoints.usable import UsableNetwork
from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.engines import choice, runtimes
from bsrn_estimator.evaluation import metrics
from bsrn_estimator.export import frozen_graph, onnx_model
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.networks.precision import BFLOAT16, FLOAT32
from bsrn_estimator.pictures import files as picture_files
from bsrn_estimator.pictures import imresize
from bsrn_estimator.pictures.decoding import read_rgb
from bsrn_estimator.pictures.picture import to_uint8
from bsrn_estimator.pictures.tiling import OVERLAP, cover, work
from bsrn_estimator.platforms.cpu import has_bfloat16

PLAIN = "untiled float32"
PREDICT, PREDICT_BFLOAT16 = "predict float32", "predict bfloat16"
ONEDNN, ONNXRUNTIME = "untiled oneDNN rewrite", "onnxruntime"
OPENVINO, OPENVINO_BFLOAT16 = "openvino float32", "openvino bfloat16"
# Predict in other engines than TensorFlow, in the order in which they are compared: the engine, and
# whether in bfloat16.
PREDICT_IN = {
    "predict onnxruntime": (runtimes.ONNXRUNTIME, False),
    "predict openvino float32": (runtimes.OPENVINO, False),
    "predict openvino bfloat16": (runtimes.OPENVINO, True),
}
# Height and width in LR pixels, and the scale.
CASES = ((180, 320, 4), (360, 640, 2), (1080, 1920, 2))
_Upscale = Callable[[np.ndarray], np.ndarray]


def present() -> List[str]:
    """The engines that this environment and this processor have."""
    found = [PLAIN, PREDICT]
    if has_bfloat16():
        found += [PREDICT_BFLOAT16, ONEDNN]
    convertible = importlib.util.find_spec("tf2onnx") is not None
    if convertible and importlib.util.find_spec("onnxruntime") is not None:
        found.append(ONNXRUNTIME)
    if convertible and importlib.util.find_spec("openvino") is not None:
        found += [OPENVINO] + [OPENVINO_BFLOAT16] * has_bfloat16()
    for name, (engine, mixed) in PREDICT_IN.items():
        if runtimes.is_installed(engine) and (has_bfloat16() or not mixed):
            found.append(name)
    return found


def _config(rewrite: bool) -> tf.ConfigProto:
    config = tf.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    if rewrite:
        config.graph_options.rewrite_options.auto_mixed_precision_onednn_bfloat16 = 1
    return config


def _untiled(scale: int, rewrite: bool) -> _Upscale:
    network = trained.find(PRETRAINED, session_config=_config(rewrite))
    with tf.Graph().as_default():
        lr = tf.placeholder(tf.float32, [1, None, None, 3])
        hr = network.network.results(lr, scale)[network.network.result]
        session = network.session()
    return lambda picture: session.run(hr, {lr: picture[np.newaxis].astype(np.float32)})[0]


def _predict(scale: int, precision: str) -> _Upscale:
    network = trained.find(PRETRAINED, session_config=_config(False), precision=precision)
    upscaler = Upscaler(network, scales=[scale])
    return lambda picture: upscaler.upscale(picture, scale)


def _predict_in(name: str) -> UsableNetwork:
    engine, mixed = PREDICT_IN[name]
    found = choice.find(UseOptions(checkpoint=PRETRAINED), choice.Wish(engine, mixed, threads=1))
    assert found is not None  # only engines that are there are measured
    return found


def _predict_elsewhere(name: str, scale: int) -> _Upscale:
    upscaler = Upscaler(_predict_in(name), scales=[scale])
    return lambda picture: upscaler.upscale(picture, scale)


def _onnx_file(folder: str, scale: int) -> str:
    network = trained.find(PRETRAINED)
    path = os.path.join(folder, "bsrn_x%d.onnx" % scale)
    frozen = frozen_graph.graph_def(network.session, network.network, scale)
    onnx_model.write(path, frozen, {})
    return path


def _onnxruntime(path: str) -> _Upscale:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda picture: session.run(None, {"lr": picture[np.newaxis].astype(np.float32)})[0][0]


def _openvino(path: str, precision: str) -> _Upscale:
    import openvino

    hint = {FLOAT32: "f32", BFLOAT16: "bf16"}[precision]
    settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": hint}
    compiled = openvino.Core().compile_model(path, "CPU", settings)
    return lambda picture: compiled(picture[np.newaxis].astype(np.float32))[0][0]


def make(engine: str, scale: int, model: Optional[str]) -> _Upscale:
    """A function from uint8 [h, w, 3] to float32 [scale * h, scale * w, 3].

    Args:
      engine: one of `present`.
      scale: the scale.
      model: path of an ONNX model, for the engines that take one.
    """
    made: Dict[str, Callable[[], _Upscale]] = {
        PLAIN: lambda: _untiled(scale, rewrite=False),
        ONEDNN: lambda: _untiled(scale, rewrite=True),
        PREDICT: lambda: _predict(scale, FLOAT32),
        PREDICT_BFLOAT16: lambda: _predict(scale, BFLOAT16),
        ONNXRUNTIME: lambda: _onnxruntime(str(model)),
        OPENVINO: lambda: _openvino(str(model), FLOAT32),
        OPENVINO_BFLOAT16: lambda: _openvino(str(model), BFLOAT16),
    }
    if engine in PREDICT_IN:
        return _predict_elsewhere(engine, scale)
    return made[engine]()


def _area(engine: str, size: Tuple[int, int], scale: int) -> float:
    """LR pixels computed over those of the picture."""
    if engine in PREDICT_IN:
        side = _predict_in(engine).tile(scale)
    elif engine in (PREDICT, PREDICT_BFLOAT16):
        side = trained.find(PRETRAINED).tile(scale)
    else:
        return 1.0
    return work(cover(size[0], size[1], side, OVERLAP)) / (size[0] * size[1])


def _psnr(upscale: _Upscale, scale: int, folder: Optional[str]) -> Optional[float]:
    if not folder:
        return None
    values = []
    for file in picture_files.find(folder, os.devnull).files:
        hr = read_rgb(file.path)
        hr = hr[: hr.shape[0] // scale * scale, : hr.shape[1] // scale * scale]
        result = to_uint8(upscale(imresize.shrink(hr, scale)))
        values.append(metrics.psnr(hr, result, shave=scale))
    return float(np.mean(values))


def run(engine: str, size: Tuple[int, int], scale: int, more: argparse.Namespace) -> None:
    """Measures one engine in this process and prints the result line."""
    upscale = make(engine, scale, more.model)
    lr = np.random.RandomState(0).randint(0, 256, tuple(size) + (3,), dtype=np.uint8)
    upscale(lr)  # plans and allocates
    with _report.measured() as usage:
        for _ in range(more.repeats):
            upscale(lr)
    peak = _report.peak_memory_mb()
    _report.print_result(
        engine,
        usage.cpu_seconds / more.repeats,
        "CPU seconds",
        None,
        peak,
        area=_area(engine, size, scale),
        psnr=_psnr(upscale, scale, more.pictures),
    )


def compare(repeats: int, pictures: Optional[str], quick: bool) -> None:
    """Prints the table of all engines that are there; with `quick` of the first size alone."""
    rows: List[Sequence[Any]] = []
    engines = present()
    for height, width, scale in CASES[: 1 if quick else None]:
        found: Dict[str, Dict[str, Any]] = {}
        with tempfile.TemporaryDirectory() as folder:
            with_model = any(name in engines for name in (ONNXRUNTIME, OPENVINO))
            model = _onnx_file(folder, scale) if with_model else ""
            for engine in engines:
                arguments = ["--engine=" + engine, "--scale=%d" % scale, "--height=%d" % height]
                arguments += ["--width=%d" % width, "--repeats=%d" % repeats, "--model=" + model]
                arguments += ["--pictures=" + pictures] if pictures else []
                found[engine] = _report.in_child("benchmarks._engines", arguments)
        plain = found[PLAIN]["value"]
        for engine, result in found.items():
            rows.append(
                ["%dx%d x%d" % (width, height, scale), engine, result["value"]]
                + [result["value"] / plain, result["area"], result["peak_memory_mb"]]
                + [result["psnr"]]
            )
    columns = ["LR", "engine", "CPU s", "of plain", "area", "peak MB", "PSNR"]
    _report.print_table(columns, rows)
    _report.print_machine(_report.machine())
    # What --engine=auto takes of a picture of this size.
    ours = PREDICT_BFLOAT16 if PREDICT_BFLOAT16 in engines else PREDICT
    ours = next((name for name in reversed(engines) if name.startswith("predict openvino")), ours)
    fastest = min(result["value"] for result in found.values())
    _report.print_result(
        "%s, x%d, %dx%d LR" % (ours, scale, width, height),
        found[ours]["value"],
        "CPU seconds",
        plain,
        found[ours]["peak_memory_mb"],
        computed_area=found[ours]["area"],
        of_the_fastest=found[ours]["value"] / fastest,
        tensorflow_2=TF2,
    )


def main() -> None:
    """Measures one engine, in a child of `benchmarks.upscale --engines`."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--engine", required=True, choices=present())
    for name in ("--scale", "--height", "--width", "--repeats"):
        parser.add_argument(name, type=int, required=True)
    parser.add_argument("--model")
    parser.add_argument("--pictures")
    arguments = parser.parse_args()
    run(arguments.engine, (arguments.height, arguments.width), arguments.scale, arguments)


if __name__ == "__main__":
    main()
