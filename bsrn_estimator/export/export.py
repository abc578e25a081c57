"""Mode export: a trained network as a SavedModel, a frozen graph or an ONNX model.

    EXPORT_DIR/saved_model/STEP/          SavedModel, all scales; what --model of the server takes
    EXPORT_DIR/bsrn_x4.pb                 frozen graph of one scale, free shape
    EXPORT_DIR/bsrn_x4_120x80.pb          the same for LR pictures of height 120 and width 80
    EXPORT_DIR/bsrn_x4.onnx               ONNX model

Files of another family than BSRN begin with its name. A SavedModel says what it is in
assets.extra/export.json, a file in FILE.json beside it.
"""

import os
import shutil
from typing import List, Tuple

from bsrn_estimator import files
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.checkpoints import trained
from bsrn_estimator.errors import UserError
from bsrn_estimator.export import about, frozen_graph, onnx_model, saved_model
from bsrn_estimator.export.options import ExportOptions
from bsrn_estimator.scales import require

_ENDINGS = {"frozen": ".pb", "onnx": ".onnx"}


def run(options: ExportOptions) -> int:
    """Exports as told and prints what was written; returns the exit status 0.

    Raises:
      UserError: there is no such network or scale, or the target exists.
    """
    write(options)
    return 0


def write(options: ExportOptions) -> List[str]:
    """Exports as told, prints what was written, and returns the paths; raises what `run` does."""
    if options.export_format == "onnx":
        onnx_model.require()
    network = trained.find(options.named, options.given)
    scales = tuple(options.scales or network.scales)
    require(scales, network.scales, network.prefix)
    network.network.picture_names(options.choice)  # refuses what the network has not
    print("network: %s" % network.name, flush=True)
    paths = export(network, scales, options)
    for path in paths:
        print("wrote %s" % path, flush=True)
    return paths


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
    size = "_%dx%d" % options.export_size if options.export_size else ""
    family = network.network.family
    stems = {s: os.path.join(folder, "%s_x%d%s" % (family, s, size)) for s in scales}
    ending = _ENDINGS[options.export_format]
    paths = [stem + ending for stem in stems.values()]
    _refuse_existing(paths, options.overwrite)
    files.make_folder(folder, "--export_dir=%s" % folder)
    for scale, stem in stems.items():
        _write_one_scale(stem, ending, network, scale, options)
    return paths


def _results_folder(network: trained.TrainedNetwork, options: ExportOptions) -> str:
    """The folder of the network's run, where no --export_dir is given."""
    own = checkpoint_files.results_folder(network.prefix)
    shipped = own in checkpoint_files.SHIPPED_RESULTS.values()
    return own if shipped else options.model_dir or "."


def _refuse_existing(paths: List[str], overwrite: bool) -> None:
    for path in paths:
        if os.path.lexists(path) and not overwrite:
            raise UserError(
                "%s exists; add --overwrite to replace it, or name another --export_dir" % path
            )


def _write_saved_model(path, network, scales, options) -> None:
    aside = files.aside(path)
    files.make_folder(os.path.dirname(path), "--export_dir=%s" % os.path.dirname(path))
    shutil.rmtree(aside, ignore_errors=True)
    saved_model.write(
        aside,
        network.session,
        network.network,
        scales,
        about.information(network, scales, options),
        options.choice,
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
        network.network,
        scale,
        options.export_size,
        options.choice,
        options.clip,
    )
    info = about.information(network, (scale,), options)
    about.write(stem + ending, info)
    if ending == ".onnx":
        onnx_model.write(stem + ending, frozen, info)
    else:
        frozen_graph.write(stem + ending, frozen)
