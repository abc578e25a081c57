"""The step at which a run ends, kept in its model folder for whoever follows the run."""

import os
from typing import Optional

from bsrn_estimator import files
from bsrn_estimator.errors import UserError

FILE_NAME = "training.json"
_FIELD = "train_steps"


def save(model_dir: str, train_steps: int) -> None:
    """Writes MODEL_DIR/training.json, whole or not at all."""
    files.write_json(os.path.join(model_dir, FILE_NAME), {_FIELD: train_steps})


def load(model_dir: str) -> Optional[int]:
    """The step at which the run in a folder ends; None where that is not known yet.

    Raises:
      UserError: the file is damaged.
    """
    path = os.path.join(model_dir, FILE_NAME)
    if not os.path.exists(path):
        return None
    values = files.read_json(path)
    if not isinstance(values, dict) or type(values.get(_FIELD)) is not int:
        raise UserError("%s does not say at which step the run ends; remove it" % path)
    return values[_FIELD]
