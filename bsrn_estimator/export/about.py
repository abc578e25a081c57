"""What an export says of itself: export.json in a SavedModel, FILE.json beside a file."""

import os
from typing import Any, Dict, Optional, Tuple

from bsrn_estimator import files
from bsrn_estimator.errors import UserError
from bsrn_estimator.export.options import ExportOptions
from bsrn_estimator.pictures.tiling import OVERLAP

VERSION = 1
_IN_SAVED_MODEL = os.path.join("assets.extra", "export.json")
_BESIDE_FILE = ".json"


def path_of(export: str) -> str:
    """Where the export at `export`, a SavedModel's folder or a model's file, says what it is."""
    if os.path.isdir(export):
        return os.path.join(export, _IN_SAVED_MODEL)
    return export + _BESIDE_FILE


def write(export: str, information: Dict[str, Any]) -> None:
    """Writes what the export at `export`, a folder or a file's path, says of itself.

    Raises:
      OSError: it cannot be written.
    """
    path = path_of(export)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    files.write_json(path, information)


def read(export: str) -> Dict[str, Any]:
    """What the export at `export` says of itself.

    Raises:
      UserError: it says nothing, or what it says is damaged or of a newer version.
    """
    path = path_of(export)
    information = files.read_json(
        path,
        missing="%s has no %s, so it is not known what it was made of; name an export of this "
        "project" % (export, path),
    )
    try:
        if information["export_version"] > VERSION:
            raise UserError("%s is of a newer version of this project; update it" % path)
        for name in ("scales", "output", "first_output", "step", "network"):
            information[name]  # noqa: B018 a missing one raises here, not later
        information["pictures"]["lr_size"]  # noqa: B018
    except (KeyError, TypeError) as error:
        raise UserError("%s does not describe an export: %r" % (path, error)) from None
    return information


def overlap_of(information: Dict[str, Any]) -> int:
    """Context that a tile of an export's network needs, in LR pixels."""
    return int(information.get("pictures", {}).get("overlap", OVERLAP))


def hr_tile_of(information: Dict[str, Any]) -> Optional[int]:
    """See `Network.hr_tile`."""
    return information.get("pictures", {}).get("hr_tile")


def information(network: Any, scales: Tuple[int, ...], options: ExportOptions) -> Dict[str, Any]:
    """What an export of a `trained.TrainedNetwork` says of itself: export.json."""
    from bsrn_estimator.compat import tf  # late: what an export says is read without it

    return {
        "project": "bsrn_estimator",
        "export_version": VERSION,
        "export_format": options.export_format,
        "scales": list(scales),
        "output": options.output,
        "first_output": options.first_output,
        "checkpoint": os.path.basename(network.prefix),
        "step": network.step,
        "network": network.identity(),
        "hyper_parameters": network.network.to_dict(),
        "pictures": {
            "dtype": "float32",
            "layout": "NHWC",
            "colour_order": "RGB",
            "value_range": [0, 255],
            "result_is": "%s, not rounded" % ("clipped" if options.clip else "not clipped"),
            "lr_size": list(options.export_size) if options.export_size else None,
            "max_pixels_of_bytes": options.max_pixels,
            "overlap": network.network.overlap,
            "hr_tile": network.network.hr_tile,
        },
        "tensorflow": tf.__version__,
    }
