"""What a path means, if it is an export."""

import os
from typing import Optional

from bsrn_estimator import files


def saved_model_in(folder: str) -> Optional[str]:
    """The SavedModel that `folder` is or holds, None where it holds none.

    Looked for in the folder itself, in its numbered folders (the highest number), and in those of
    its folder `saved_model`, where mode export writes.

    Raises:
      UserError: one of these folders cannot be listed.
    """
    if os.path.isfile(os.path.join(folder, "saved_model.pb")):
        return folder
    for parent in (folder, os.path.join(folder, "saved_model")):
        numbers = (name for name in files.names_in(parent) if name.isdigit())
        for name in sorted(numbers, key=int, reverse=True):
            if os.path.isfile(os.path.join(parent, name, "saved_model.pb")):
                return os.path.join(parent, name)
    return None


def is_export(path: str) -> bool:
    """Whether `path` means an exported model, not a checkpoint."""
    return path.endswith(".pb") or (os.path.isdir(path) and saved_model_in(path) is not None)


def is_onnx(path: str) -> bool:
    """Whether `path` means an ONNX model."""
    return path.endswith(".onnx")
