"""The engines that run an ONNX model: whether they are there, and the model as a function."""

import importlib.util
import os
import re
import tempfile
from typing import Any, Callable, Dict, Tuple

import numpy as np

from bsrn_estimator.checkpoints.usable import TENSORFLOW
from bsrn_estimator.cores import BFLOAT16_INSTRUCTIONS, processor_flags
from bsrn_estimator.errors import UserError, install_command
from bsrn_estimator.networks.precision import BFLOAT16, FLOAT32

AUTO, ONNXRUNTIME, OPENVINO = "auto", "onnxruntime", "openvino"
OTHERS = (OPENVINO, ONNXRUNTIME)  # the fastest first, as measured: docs/performance.md
ENGINES = (AUTO, TENSORFLOW, ONNXRUNTIME, OPENVINO)

Run = Callable[[np.ndarray], np.ndarray]

# OpenVINO keeps an operation in float32 that bears it.
_PRECISE = '<attribute name="precise" version="0"/>'
# The sums of the recursions, which are no biases, and all from the last convolution on: with that
# in bfloat16 the sums behind it are too, where the values from 128 on are whole numbers.
_PRECISE_LAYER = re.compile(
    r'<layer [^>]*name="'
    r'(?:(?![^"]*Bias)[^"]*residual_modules[^"]*"[^>]*type="(?:Add|Multiply)"'
    r'|[^"]*last_conv[^"]*"[^>]*type="(?:Convolution|Add)")'
)


def is_installed(engine: str) -> bool:
    """Whether the package of an engine is there; nothing is imported."""
    return importlib.util.find_spec(engine) is not None


def require(engine: str) -> None:
    """Raises UserError unless the package of an engine is there."""
    if not is_installed(engine):
        raise UserError(
            "--engine=%s needs the package %s; get it with %s, or leave --engine out"
            % (engine, engine, install_command(engine))
        )


def precision_of(engine: str, mixed: Any) -> str:
    """The precision that an engine computes in.

    Args:
      engine: ONNXRUNTIME or OPENVINO.
      mixed: True, False, or None for what is fastest without a loss that could be seen.

    Raises:
      UserError: bfloat16 is asked for and not to be had.
    """
    able = engine == OPENVINO and bool(processor_flags() & BFLOAT16_INSTRUCTIONS)
    if mixed and engine != OPENVINO:
        raise UserError(
            "--mixed_precision: %s computes in float32 alone; leave it out, or take "
            "--engine=openvino or tensorflow" % engine
        )
    if mixed and not able:
        raise UserError(
            "--mixed_precision on a CPU needs one with bfloat16 instructions (AVX512-BF16 or "
            "AMX), and this one has none; leave it out"
        )
    return BFLOAT16 if able and mixed is not False else FLOAT32


def load(engine: str, path: str, precision: str = FLOAT32, threads: int = 0) -> Run:
    """An ONNX model as a function from "lr" to "hr", see `onnx_model`.

    Args:
      engine: ONNXRUNTIME or OPENVINO.
      path: the model.
      precision: FLOAT32, or with OPENVINO BFLOAT16.
      threads: of the CPU; 0 for all.

    Returns:
      A function from float32 [batch, height, width, 3] to float32 [batch, scale * height,
      scale * width, 3], an array of the caller's own.

    Raises:
      UserError: the model is damaged, or the engine does not read it.
    """
    try:
        if engine == ONNXRUNTIME:
            return _onnxruntime(path, threads)
        return _openvino(path, precision, threads)
    except Exception as error:  # the engines raise what they have
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise UserError("%s cannot be loaded by %s: %s" % (path, engine, reason[:160])) from None


def _onnxruntime(path: str, threads: int) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # errors; warnings are of cores that a container does not give
    # Threads that wait in a loop take processor time from others, and gain nothing measurable.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda lr: session.run(["hr"], {"lr": lr})[0]


def _openvino(path: str, precision: str, threads: int) -> Run:
    import openvino

    core = openvino.Core()
    model = core.read_model(path)
    settings: Dict[str, Any] = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    if precision == BFLOAT16:
        settings["INFERENCE_PRECISION_HINT"] = "bf16"
        model = core.read_model(*_with_float32_parts(model))
    compiled = core.compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()
    return lambda lr: request.infer([lr], share_inputs=True, share_outputs=False)["hr"]


def _with_float32_parts(model: Any) -> Tuple[str, Any]:
    """A model whose sums and last convolution stay in float32: its text and its weights.

    With these in bfloat16 too, x2 loses 0.019 dB on Set5, so 0.002. What keeps an operation in
    float32 can be said in the text of a model alone.
    """
    import openvino
    from openvino.passes import Manager, Serialize

    with tempfile.TemporaryDirectory(prefix="bsrn-") as folder:
        text, weights = os.path.join(folder, "a.xml"), os.path.join(folder, "a.bin")
        manager = Manager()
        manager.register_pass(Serialize(text, weights))
        manager.run_passes(model)
        with open(text, encoding="utf-8") as file:
            layers = file.read().split("<layer ")
        held = openvino.Tensor(np.fromfile(weights, np.uint8))
    return "<layer ".join(_marked(layer) for layer in layers), held


def _marked(layer: str) -> str:
    """The text of a layer, behind "<layer "; one that stays in float32 is marked."""
    head, closing, rest = layer.partition(">")
    if not closing or not _PRECISE_LAYER.match("<layer %s>" % head):
        return layer
    if "<rt_info>" in rest:
        return head + closing + rest.replace("<rt_info>", "<rt_info>" + _PRECISE, 1)
    return head + closing + "<rt_info>%s</rt_info>" % _PRECISE + rest
