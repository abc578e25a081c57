"""Paths as TensorFlow takes them as they are written.

Wherever TensorFlow looks for a checkpoint, removes one or lists a folder, it takes `*`, `?`, `[`
and `\\` for a pattern, and its own escapes are not understood by what opens the file afterwards. A
path with one of them is not found, or another folder is. So every path that goes into TensorFlow
comes from here.
"""

import atexit
import functools
import glob
import os
import re
import shutil
import tempfile
from typing import Any, Dict

from bsrn_estimator.checkpoints import keras_file

# What begins a pattern; and bytes of a name that is no UTF-8, which TensorFlow does not take.
_ODD = re.compile("[*?\\[\\\\\udc80-\udcff]")
# Open folders by path. They stay open: a number that is used again would mean another folder.
_opened: Dict[str, int] = {}


def folder(path: str) -> str:
    """A path of the folder `path` that TensorFlow does not take for a pattern.

    That is `path` itself wherever it can be. The other one holds in this process, as long as it
    lives, and leaves nothing behind.

    Raises:
      OSError: the folder is not there and cannot be made.
    """
    if not _ODD.search(path):
        return path
    os.makedirs(path, exist_ok=True)
    number = _opened.get(path)
    # Another folder may have taken the place of one that was opened.
    if number is None or not os.path.samestat(os.fstat(number), os.stat(path)):
        number = _opened[path] = os.open(path, os.O_RDONLY)
    return "/proc/self/fd/%d" % number


def prefix(path: str) -> str:
    """The same for the path prefix of a checkpoint, or for a file of Keras (see `keras_file`).

    Raises:
      UserError: the file of Keras holds no network that is known.
    """
    if keras_file.is_one(path):
        return keras_file.as_checkpoint(path)
    parent, name = os.path.split(path)
    if _ODD.search(name):
        parent, name = _links(path), "checkpoint"
    return os.path.join(folder(parent), name)


def reader(path: str) -> Any:
    """The tf.train.CheckpointReader of the checkpoint with the path prefix `path`.

    Raises:
      tf.errors.OpError, RuntimeError, ValueError: it cannot be read.
    """
    from bsrn_estimator.compat import tf  # late: the names of files are asked for without it

    return tf.train.load_checkpoint(prefix(path))


@functools.lru_cache(maxsize=None)
def _links(path: str) -> str:
    """A folder, removed at the end, in which the files of a checkpoint are called `checkpoint`."""
    made = tempfile.mkdtemp(prefix="checkpoint-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    for file in glob.glob(glob.escape(path) + ".*"):
        os.symlink(os.path.abspath(file), os.path.join(made, "checkpoint" + file[len(path) :]))
    return made
