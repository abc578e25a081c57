"""Mode export: a trained network as a SavedModel, a frozen graph or an ONNX model.

    EXPORT_DIR/saved_model/STEP/          SavedModel, all scales; what --model of the server takes
    EXPORT_DIR/bsrn_x4.pb                 frozen graph of one scale, free shape
    EXPORT_DIR/bsrn_x4_120x80.pb          the same for LR pictures of height 120 and width 80
    EXPORT_DIR/bsrn_x4.onnx               ONNX model

A SavedModel says what it is in assets.extra/export.json, a file in FILE.json beside it.
"""

import dataclasses
import os
import shutil
from typing import Any, Dict, List, Optional, Tuple

from bsrn_estimator import about, checkpoints, files, frozen_graph, onnx_model, saved_model, trained
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError

FORMATS = ("saved_model", "frozen", "onnx")
_ENDINGS = {"frozen": ".pb", "onnx": ".onnx"}


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """What to export, and how.

    Attributes:
      export_dir: folder to write into; None for the folder `export` in `model_dir`.
      export_format: one of `FORMATS`.
      checkpoint: a checkpoint or folder; None for the newest in `model_dir`.
      model_dir: a folder that training wrote.
      recursions: of a checkpoint without a configuration; None where not given.
      recursion_frequency: likewise.
      scales: the scales to export; None for all that the network has.
      size: height and width of the LR picture (frozen, onnx); None leaves them free.
      output: "ensemble" or "last".
      first_output: leaves the outputs of smaller index out of the ensemble.
      max_pixels: largest picture that the `_bytes` signatures of a SavedModel decode.
      overwrite: replaces what is there.
    """

    export_dir: Optional[str] = None
    export_format: str = "saved_model"
    checkpoint: Optional[str] = None
    model_dir: Optional[str] = None
    recursions: Optional[int] = None
    recursion_frequency: Optional[int] = None
    scales: Optional[Tuple[int, ...]] = None
    size: Optional[Tuple[int, int]] = None
    output: str = "ensemble"
    first_output: int = 0
    max_pixels: int = 2**22
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.export_format not in FORMATS:
            raise UserError(
                "--export_format takes %s, not %s" % (" or ".join(FORMATS), self.export_format)
            )
        if self.output not in ("ensemble", "last"):
            raise UserError(
                "an export holds one output: --output takes ensemble or last, not %s" % self.output
            )
        if self.size and self.export_format == "saved_model":
            raise UserError(
                "--export_size fixes the shape of a frozen graph or an ONNX model; leave it out, "
                "or give --export_format=frozen or onnx"
            )
        if self.size and (len(self.size) != 2 or min(self.size) < 1):
            raise UserError("--export_size takes HEIGHT,WIDTH in LR pixels, such as 120,80")
        if self.max_pixels < 1:
            raise UserError("--max_pixels must be at least 1, not %d" % self.max_pixels)


def run(options: ExportOptions) -> int:
    """Exports as told and prints what was written; returns the exit status 0.

    Raises:
      UserError: there is no such network or scale, or the target exists.
    """
    if options.export_format == "onnx":
        onnx_model.require()
    network = trained.find(
        options.checkpoint, options.model_dir, options.recursions, options.recursion_frequency
    )
    scales = _scales_of(network, options)
    if not 0 <= options.first_output < len(network.config.output_recursions):
        raise UserError(
            "--first_output must be from 0 to %d, not %d"
            % (len(network.config.output_recursions) - 1, options.first_output)
        )
    print("network: %s" % network.name, flush=True)
    for path in export(network, scales, options):
        print("wrote %s" % path, flush=True)
    return 0


def export(
    network: trained.TrainedNetwork, scales: Tuple[int, ...], options: ExportOptions
) -> List[str]:
    """Writes the exports of `scales` and returns their paths; see `run`."""
    folder = options.export_dir or os.path.join(_results_folder(network, options), "export")
    if options.export_format == "saved_model":
        path = os.path.join(folder, "saved_model", str(network.step or 1))
        _refuse_existing([path], options.overwrite)
        _write_saved_model(path, network, scales, options)
        return [path]
    size = "_%dx%d" % options.size if options.size else ""
    stems = {s: os.path.join(folder, "bsrn_x%d%s" % (s, size)) for s in scales}
    ending = _ENDINGS[options.export_format]
    paths = [stem + ending for stem in stems.values()]
    _refuse_existing(paths, options.overwrite)
    files.make_folder(folder, "--export_dir=%s" % folder)
    for scale, stem in stems.items():
        _write_one_scale(stem, ending, network, scale, options)
    return paths


def _scales_of(network, options: ExportOptions) -> Tuple[int, ...]:
    missing = sorted(set(options.scales or ()) - set(network.scales))
    if missing:
        raise UserError(
            "--scales=%s: %s has %s"
            % (
                ",".join(str(scale) for scale in missing),
                network.prefix,
                ", ".join("x%d" % scale for scale in network.scales),
            )
        )
    return tuple(options.scales or network.scales)


def _results_folder(network: trained.TrainedNetwork, options: ExportOptions) -> str:
    """The folder of the network's run, where no --export_dir is given."""
    own = checkpoints.results_folder(network.prefix)
    return own if own == checkpoints.PRETRAINED_RESULTS else options.model_dir or "."


def _refuse_existing(paths: List[str], overwrite: bool) -> None:
    for path in paths:
        if os.path.lexists(path) and not overwrite:
            raise UserError(
                "%s exists; add --overwrite to replace it, or name another --export_dir" % path
            )


def information(
    network: trained.TrainedNetwork, scales: Tuple[int, ...], options: ExportOptions
) -> Dict[str, Any]:
    """What an export says of itself: export.json."""
    config = network.config
    return {
        "project": "bsrn_estimator",
        "export_version": about.VERSION,
        "export_format": options.export_format,
        "scales": list(scales),
        "output": options.output,
        "first_output": options.first_output,
        "checkpoint": os.path.basename(network.prefix),
        "step": network.step,
        "network": network.identity(),
        "hyper_parameters": {
            "scales": list(config.scales),
            "conv_features": config.conv_features,
            "state_features": config.state_features,
            "recursions": config.recursions,
            "recursion_frequency": config.recursion_frequency,
            "rgb_mean": list(config.rgb_mean),
        },
        "pictures": {
            "dtype": "float32",
            "layout": "NHWC",
            "colour_order": "RGB",
            "value_range": [0, 255],
            "result_is": "clipped, not rounded",
            "lr_size": list(options.size) if options.size else None,
            "max_pixels_of_bytes": options.max_pixels,
        },
        "tensorflow": tf.__version__,
    }


def _write_saved_model(path, network, scales, options) -> None:
    aside = files.aside(path)
    files.make_folder(os.path.dirname(path), "--export_dir=%s" % os.path.dirname(path))
    shutil.rmtree(aside, ignore_errors=True)
    saved_model.write(
        aside,
        network.session,
        network.config,
        scales,
        information(network, scales, options),
        options.output,
        options.first_output,
        options.max_pixels,
    )
    if os.path.lexists(path):
        # A folder cannot be put in the place of another one in one step.
        old = path + ".old"
        shutil.rmtree(old, ignore_errors=True)
        os.replace(path, old)
        os.replace(aside, path)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.replace(aside, path)


def _write_one_scale(stem: str, ending: str, network, scale: int, options) -> None:
    frozen = frozen_graph.graph_def(
        network.session,
        network.config,
        scale,
        options.size,
        options.output,
        options.first_output,
    )
    info = information(network, (scale,), options)
    about.write(stem + ending, info)
    if ending == ".onnx":
        onnx_model.write(stem + ending, frozen, info)
    else:
        frozen_graph.write(stem + ending, frozen)
