"""The files of a checkpoint: read, copied, cut short; the steps of those that ship."""

import json
import os
import shutil

from bsrn_estimator.checkpoints.files import SHIPPED_FOLDERS
from bsrn_estimator.compat import tf

DATA = ".data-00000-of-00001"


def shipped_step(word):
    """The step of a network that comes with the project, as the file beside it says."""
    with open(os.path.join(SHIPPED_FOLDERS[word], "config.json")) as file:
        return json.load(file)["global_step"]


def values(prefix):
    """All variables of a checkpoint, by name."""
    reader = tf.train.load_checkpoint(str(prefix))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def copy(prefix, target):
    """Copies a checkpoint to the path prefix `target`; returns that as a string."""
    for ending in (".index", DATA):
        shutil.copyfile(prefix + ending, str(target) + ending)
    return str(target)


def cut(path, keep):
    """Leaves the first `keep` bytes of a file, as a full disk or a crash does."""
    with open(path, "r+b") as file:
        file.truncate(keep)
