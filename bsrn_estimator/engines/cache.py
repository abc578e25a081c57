"""The ONNX models of checkpoints: those that come with the project, and those made before.

    $XDG_CACHE_HOME/bsrn-estimator/onnx/KEY/FAMILY_x4.onnx     by default under ~/.cache

KEY is a digest of the checkpoint's files, of what the user said of its network, of the outputs
chosen and of how models are made, so nothing in the cache grows old. A model is there whole or not
at all, and processes that make the same one wait for one another. It may be removed at any time.
"""

import contextlib
import dataclasses
import glob
import hashlib
import json
import os
import shutil
from typing import Any, Dict, Mapping, Optional, Sequence

from bsrn_estimator import files
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.checkpoints.config_file import FILE_NAME
from bsrn_estimator.checkpoints.options import UseOptions
from bsrn_estimator.errors import UserError
from bsrn_estimator.export import about
from bsrn_estimator.export.options import ExportOptions
from bsrn_estimator.networks.choice import OutputChoice

# Changes whenever the same checkpoint comes to give another model.
VERSION = 2
# Checkpoints whose models are kept: those used last.
_KEPT = 8
_NAMES = "*_x*.onnx"


def folder() -> str:
    """Where models are kept."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "bsrn-estimator", "onnx")


def shipped(prefix: str) -> Optional[Dict[int, str]]:
    """The models, by scale, of a network that comes with the project; None for another."""
    folder_of_it = os.path.dirname(prefix)
    known = folder_of_it in checkpoint_files.SHIPPED_FOLDERS.values()
    return _models_in(folder_of_it) if known else None


def _models_in(place: str) -> Dict[int, str]:
    paths = sorted(glob.glob(os.path.join(glob.escape(place), _NAMES)))
    return {scale: path for path in paths for scale in about.read(path)["scales"]}


def found(prefix: str, options: UseOptions) -> Optional[Dict[int, str]]:
    """The models of a checkpoint that are there, by scale: all that `options` ask for, or None.

    Args:
      prefix: path prefix of the checkpoint.
      options: the outputs, the scales, and what the user said of the network.
    """
    place = os.path.join(folder(), _key(prefix, options))
    listing = os.path.join(place, "scales.json")
    if os.path.isfile(listing):
        with contextlib.suppress(UserError, OSError):
            models = _models_in(place)
            wanted = options.scales or files.read_json(listing)
            if set(wanted) <= set(models):
                os.utime(listing)
                return {scale: models[scale] for scale in wanted}
    return None


def make(prefix: str, options: UseOptions) -> Dict[int, str]:
    """Exports the models of a checkpoint, unless they are there; returns them by scale.

    Raises:
      UserError: it cannot be exported, or the cache cannot be written.
    """
    from bsrn_estimator.checkpoints import contents, trained
    from bsrn_estimator.export import onnx_model
    from bsrn_estimator.scales import require

    onnx_model.require()
    network = trained.TrainedNetwork(prefix, contents.network_of(prefix, options.given))
    scales = tuple(options.scales or network.scales)
    require(scales, network.scales, prefix)
    network.network.picture_names(options.choice)
    place = os.path.join(folder(), _key(prefix, options))
    files.make_folder(place, "the cache %s" % place)
    try:
        with files.written_whole(os.path.join(place, "scales.json")) as listing:
            models = _models_in(place)
            missing = tuple(scale for scale in scales if scale not in models)
            if missing:
                write(network, missing, place, options.choice)
            json.dump(list(network.scales), listing)
        _remove_old()
    except OSError as error:
        raise UserError(
            "the cache %s cannot be written (%s); set XDG_CACHE_HOME to another folder, or take "
            "--engine=tensorflow" % (place, error.strerror)
        ) from None
    return {scale: path for scale, path in _models_in(place).items() if scale in scales}


def write(network: Any, scales: Sequence[int], place: str, outputs: OutputChoice) -> None:
    """Writes the models of some scales of a `trained.TrainedNetwork` to the folder `place`."""
    from bsrn_estimator.export import export

    how = ExportOptions(
        export_dir=place,
        export_format="onnx",
        overwrite=True,
        clip=False,
        output=outputs.output,
        first_output=outputs.first_output,
    )
    export.export(network, tuple(scales), how)


def _key(prefix: str, options: UseOptions) -> str:
    """What the models of a checkpoint are made of."""
    said: Mapping = dict(dataclasses.asdict(options.choice), given=dict(options.given))
    digest = hashlib.sha256(json.dumps([VERSION, about.VERSION, said], sort_keys=True).encode())
    beside = os.path.join(os.path.dirname(prefix), FILE_NAME)
    # A file of Keras is its own prefix.
    for path in (
        [prefix, prefix + ".index"] + sorted(glob.glob(glob.escape(prefix) + ".data-*")) + [beside]
    ):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                digest.update(os.path.splitext(path)[1].encode())
                digest.update(hashlib.sha256(file.read()).digest())
    return digest.hexdigest()[:24]


def _remove_old() -> None:
    """Removes the models of checkpoints that were not used for longest."""
    listings = glob.glob(os.path.join(glob.escape(folder()), "*", "scales.json"))
    for listing in sorted(listings, key=os.path.getmtime, reverse=True)[_KEPT:]:
        shutil.rmtree(os.path.dirname(listing), ignore_errors=True)
