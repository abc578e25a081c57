"""Which engine computes a network, and the network in it."""

import glob
import sys
from typing import Callable, Dict, List, NamedTuple, Optional

from bsrn_estimator.checkpoints import PRETRAINED, SHIPPED
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.checkpoints.options import UseOptions
from bsrn_estimator.checkpoints.usable import TENSORFLOW
from bsrn_estimator.engines import cache, onnx_network, runtimes
from bsrn_estimator.engines.runtimes import AUTO, ONNXRUNTIME, OPENVINO
from bsrn_estimator.errors import UserError, install_command
from bsrn_estimator.export import finding
from bsrn_estimator.networks.choice import SINGLE_OUTPUTS
from bsrn_estimator.scales import require

# Pixels of results up to which onnxruntime is done before another engine: it starts sooner, by 0.15
# and by 2.3 CPU seconds, and takes longer for each pixel.
_MOST_PIXELS = {OPENVINO: 2.5e5, TENSORFLOW: 4e6}


class Wish(NamedTuple):
    """What the user says of how a network is to be computed.

    Attributes:
      engine: one of `runtimes.ENGINES`.
      mixed: whether in bfloat16; None for what is fastest.
      threads: of the CPU; 0 for all.
      device: "auto", "cpu" or "gpu".
      pixels: how many the results have together; None where that is not known.
    """

    engine: str = AUTO
    mixed: Optional[bool] = None
    threads: int = 0
    device: str = "auto"
    pixels: Callable[[], Optional[int]] = lambda: None


def find(options: UseOptions, wish: Wish) -> Optional[onnx_network.OnnxNetwork]:
    """The network in another engine than TensorFlow; None where that is to compute it.

    AUTO takes no engine that would have to export the checkpoint first.

    Raises:
      UserError: the engine asked for is not there, or cannot compute what is asked for.
    """
    named = options.named or PRETRAINED
    if finding.is_onnx(named):
        engine = _for_file(named, wish)
        precision = runtimes.precision_of(engine, wish.mixed)
        return onnx_network.from_file(named, engine, precision, wish.threads)
    if wish.engine == TENSORFLOW:
        return None
    exported = named not in SHIPPED and finding.is_export(named)
    single = options.output in SINGLE_OUTPUTS
    prefix: Optional[str] = None
    if wish.engine == AUTO:
        if exported or not single or _has_gpu(wish.device):
            return None
        engine = _best(wish)
        prefix = checkpoint_files.named(named) if engine else None
        models = _ready(prefix, options) if prefix else None
    else:
        engine = wish.engine
        _check_can(engine, named, exported, single, wish)
        prefix, models = _made(named, options)
    if not models or not prefix:
        return None
    require(options.scales or (), tuple(models), prefix)
    chosen = {scale: models[scale] for scale in options.scales or models}
    precision = runtimes.precision_of(engine, wish.mixed)
    return onnx_network.OnnxNetwork(chosen, engine, precision, wish.threads, prefix)


def _for_file(path: str, wish: Wish) -> str:
    """The engine for an ONNX model."""
    if wish.engine == TENSORFLOW:
        raise UserError(
            "--engine=tensorflow does not run %s; leave --engine out, or name the checkpoint" % path
        )
    if wish.engine != AUTO:
        runtimes.require(wish.engine)
        return wish.engine
    installed = _installed(wish)
    if not installed:
        raise UserError(
            "%s needs OpenVINO or onnxruntime; get one with %s or %s"
            % (path, install_command(OPENVINO), install_command(ONNXRUNTIME))
        )
    return installed[0]


def _check_can(engine: str, named: str, exported: bool, single: bool, wish: Wish) -> None:
    """Raises UserError where an engine that the user asks for cannot do what else is asked for."""
    runtimes.require(engine)
    if wish.device == "gpu":
        raise UserError("--engine=%s computes on the CPU; leave --device=gpu out" % engine)
    if exported:
        raise UserError(
            "--engine=%s takes a checkpoint or an ONNX model, and %s is neither; leave --engine "
            "out" % (engine, named)
        )
    if not single:
        raise UserError(
            "--engine=%s gives one output: --output takes %s, or leave --engine out"
            % (engine, " or ".join(SINGLE_OUTPUTS))
        )
    runtimes.precision_of(engine, wish.mixed)


def _installed(wish: Wish) -> List[str]:
    """The engines that are there and compute in the precision asked for, the fastest first."""
    able = [OPENVINO] if wish.mixed else runtimes.OTHERS
    return [engine for engine in able if runtimes.is_installed(engine)]


def _best(wish: Wish) -> str:
    """The engine that is fastest, its start counted; "" where that is TensorFlow."""
    installed = _installed(wish)
    if ONNXRUNTIME in installed:
        pixels = wish.pixels()
        other = OPENVINO if OPENVINO in installed else TENSORFLOW
        if pixels is not None and pixels <= _MOST_PIXELS[other]:
            return ONNXRUNTIME
        # TensorFlow 1.15, of Python 3.7, has slower convolutions in any case.
        slower = other == TENSORFLOW and sys.version_info >= (3, 8)
        if slower and runtimes.is_installed(TENSORFLOW):
            return ""
    return installed[0] if installed else ""


def _has_gpu(device: str) -> bool:
    """Whether TensorFlow may see a GPU that it is to use."""
    return device == "gpu" or (device == "auto" and bool(glob.glob("/dev/nvidia[0-9]*")))


def _ready(prefix: str, options: UseOptions) -> Optional[Dict[int, str]]:
    """The models of a checkpoint that need not be made; None where they do."""
    default = options.output == "ensemble" and not options.first_output and not options.given
    return (cache.shipped(prefix) if default else None) or cache.found(prefix, options)


def _made(named: str, options: UseOptions):
    """The checkpoint and its models, which are made where they are not there."""
    prefix = checkpoint_files.named(named)
    models = _ready(prefix, options) if prefix else None
    if not models:
        prefix = checkpoint_files.resolve(named)
        models = _ready(prefix, options) or cache.make(prefix, options)
    return prefix, models
