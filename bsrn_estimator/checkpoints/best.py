"""The best checkpoint of a run, kept beside the newest: highest PSNR on Y, mean over scales.

Figures of two data sets, or of two protocols, say nothing of one another. Where a run is evaluated
otherwise than before, the best so far moves to a folder of its own, best-DIGEST, and is taken up
again when the evaluation is as it was.
"""

import contextlib
import glob
import hashlib
import json
import math
import os
import shutil
from typing import Any, Dict

from bsrn_estimator import files
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.errors import UserError

FOLDER = "best"
_RECORD = "best.json"
# Of metrics.json: what its figures depend on beside the weights.
_SUBJECT = ("data_set", "records", "shaves", "grey")
_COMPARED = ("records", "shaves", "grey")


def mean_psnr(metrics: Dict[str, Any]) -> float:
    """The mean over scales of `psnr_y` of an evaluation (its metrics.json), in dB.

    It is -inf where a scale has none, as the network of a run that diverged.
    """
    values = [scale["psnr_y"] for scale in metrics["scales"].values()]
    return -math.inf if None in values else sum(values) / len(values)


def keep_if_best(model_dir: str, checkpoint: str, metrics: Dict[str, Any], config: Config) -> bool:
    """Copies `checkpoint` to MODEL_DIR/best if no earlier evaluation of this kind was better.

    It is written aside, with its config.json and the figures (best.json), and takes the place of
    the former one by renaming; a kill at any moment leaves one of the two whole.

    Args:
      model_dir: the model folder.
      checkpoint: path prefix of the checkpoint that was evaluated.
      metrics: what the evaluation found (its metrics.json).
      config: the hyper-parameters.

    Returns:
      Whether the checkpoint was kept; it is not where another process removes it meanwhile.
    """
    folder = os.path.join(model_dir, FOLDER)
    former = folder + ".former"
    if os.path.exists(former) and not os.path.exists(folder):
        # A kill came between the two renamings below.
        os.replace(former, folder)
    psnr = mean_psnr(metrics)
    if psnr == -math.inf:
        return False
    _take_up(folder, metrics)
    with contextlib.suppress(UserError, LookupError, TypeError):
        if files.read_json(os.path.join(folder, _RECORD))["mean_psnr_y"] >= psnr:
            return False
    aside = files.aside(folder)
    shutil.rmtree(aside, ignore_errors=True)
    os.makedirs(aside)
    with contextlib.suppress(FileNotFoundError):
        for path in glob.glob(glob.escape(checkpoint) + ".*"):
            shutil.copy(path, aside)
    if not checkpoint_files.exists(checkpoint):
        # Rotation removes the index first: what is there afterwards was there all the time.
        shutil.rmtree(aside, ignore_errors=True)
        return False
    name = os.path.basename(checkpoint)
    checkpoint_files.write_state(aside, name, [name])
    config.save(aside)
    record = {"global_step": metrics["global_step"], "mean_psnr_y": psnr, "checkpoint": name}
    record.update((key, metrics[key]) for key in _SUBJECT if key in metrics)
    files.write_json(os.path.join(aside, _RECORD), record)
    shutil.rmtree(former, ignore_errors=True)
    if os.path.exists(folder):
        os.replace(folder, former)
    os.replace(aside, folder)
    shutil.rmtree(former, ignore_errors=True)
    return True


def _take_up(folder: str, metrics: Dict[str, Any]) -> None:
    """Lets `folder` hold the best by evaluations like that of `metrics`, or nothing."""
    held: Any = None
    with contextlib.suppress(UserError):
        held = files.read_json(os.path.join(folder, _RECORD))
    mine = _digest(metrics)
    kept = "%s-%s" % (folder, mine)
    if isinstance(held, dict) and _digest(held) != mine:
        other = "%s-%s" % (folder, _digest(held))
        shutil.rmtree(other, ignore_errors=True)
        os.replace(folder, other)
        print(
            "the best checkpoint so far was chosen by another evaluation (%s), and is now in %s; "
            "%s by this one (%s)"
            % (
                held.get("data_set", "by an earlier version"),
                other,
                "back to the best" if os.path.isdir(kept) else "the comparison starts afresh",
                metrics.get("data_set", "unnamed"),
            ),
            flush=True,
        )
    if os.path.isdir(kept) and not os.path.exists(folder):
        os.replace(kept, folder)


def _digest(values: Dict[str, Any]) -> str:
    """Equal for the best of evaluations that may be compared, and for their metrics.json."""
    compared = [values.get(key) for key in _COMPARED]
    return hashlib.sha256(json.dumps(compared, sort_keys=True).encode()).hexdigest()[:8]
