"""The files of checkpoints: which of them are whole, and which is meant.

TensorFlow is imported where a checkpoint is read, not before: their names are told without it.
"""

import contextlib
import glob
import os
import re
import shutil
import sys
from typing import Callable, List, Optional, Sequence, TypeVar

import numpy as np

from bsrn_estimator import files
from bsrn_estimator.checkpoints import AUTO, CLEAN, PRETRAINED, SHIPPED, keras_file, literal
from bsrn_estimator.errors import UserError

# Where the networks that come with the project are, by the word for each.
_HERE = os.path.dirname(os.path.abspath(__file__))
SHIPPED_FOLDERS = {
    word: os.path.join(_HERE, PRETRAINED if word == CLEAN else word) for word in SHIPPED
}
# What is made of it is written here, not beside it.
SHIPPED_RESULTS = {
    folder: os.path.join("runs", os.path.basename(folder)) for folder in SHIPPED_FOLDERS.values()
}

# How `damage` ends where a tensor can be read and holds a NaN or an infinity.
NOT_FINITE = " is not finite"

_ENDINGS = re.compile(r"\.(index|meta|data-\d{5}-of-\d{5})$")
_STEP = re.compile(r"-(\d+)$")
# How often a checkpoint is chosen where a run goes on removing them.
_CHOICES = 5
_Result = TypeVar("_Result")


def resolve(path: str) -> str:
    """The checkpoint that `path` means.

    Args:
      path: the path prefix of a checkpoint, with or without the ending of one of its files; a file
        of Keras (see `keras_file`); or a folder, which means its newest checkpoint that is whole.
        A folder that holds none but has a sub-folder `checkpoint` means that one. A word of
        `SHIPPED` means a network that comes with the project, also where a folder has that name:
        that one is `./pretrained`.

    Returns:
      The path prefix of a checkpoint, every tensor of which can be read. Where a newer one was
      damaged, a warning on the standard error names it.

    Raises:
      UserError: there is none, or the one named is damaged.
    """
    if path == AUTO:
        raise UserError(
            "auto chooses by the picture, in predict and the server; name one network here: "
            "pretrained, photo, or a checkpoint"
        )
    path = SHIPPED_FOLDERS.get(path, path)
    if os.path.isdir(path):
        inner = os.path.join(path, "checkpoint")
        newest = newest_whole(path) or (newest_whole(inner) if os.path.isdir(inner) else None)
        if newest is None:
            raise UserError(
                "%s holds no whole checkpoint; name a folder that training wrote" % path
            )
        return newest
    prefix = _ENDINGS.sub("", path)
    if not exists(prefix):
        if path.endswith(keras_file.ENDING):
            raise UserError("there is no file %s; name the file of weights" % path)
        raise UserError(
            "%s is not a checkpoint: there is no %s.index; give the path without an ending, as in "
            "MODEL_DIR/model.ckpt-1000, or the folder" % (path, prefix)
        )
    fault = damage(prefix)
    if fault:
        raise UserError("the checkpoint %s is damaged (%s); name another one" % (prefix, fault))
    return prefix


def named(path: str) -> Optional[str]:
    """What `resolve` gives where nothing is damaged, from the names of files alone."""
    path = SHIPPED_FOLDERS.get(path, path)
    if os.path.isdir(path):
        found = checkpoints_in(path) or checkpoints_in(os.path.join(path, "checkpoint"))
        return found[0] if found else None
    prefix = _ENDINGS.sub("", path)
    return prefix if exists(prefix) else None


def with_newest(path: str, use: Callable[[str], _Result]) -> _Result:
    """What `use` makes of the checkpoint that `path` means (see `resolve`).

    In a folder where training goes on, rotation may remove the checkpoint between choosing and
    reading; then the newest is chosen again.

    Raises:
      UserError: see `resolve`; and what `use` raises, where the checkpoint is still there.
    """
    for _ in range(_CHOICES - 1):
        prefix = resolve(path)
        try:
            return use(prefix)
        except Exception:
            if exists(prefix):
                raise
    return use(resolve(path))


def results_folder(prefix: str) -> str:
    """Where what is made of a checkpoint belongs: beside it, but not inside the project."""
    folder = os.path.dirname(prefix)
    return SHIPPED_RESULTS.get(folder, folder)


def newest_whole(folder: str) -> Optional[str]:
    """The newest checkpoint of a folder that can be read, None where there is none.

    Newest is the highest step; checkpoints without a step in their name come last, by age. Those
    passed over for damage are named on the standard error.
    """
    for prefix in checkpoints_in(folder):
        fault = damage(prefix)
        if not fault:
            return prefix
        if not exists(prefix):
            # A run removed it meanwhile.
            continue
        print(
            "warning: the checkpoint %s is damaged (%s) and passed over" % (prefix, fault),
            file=sys.stderr,
            flush=True,
        )
    return None


def checkpoints_in(folder: str) -> List[str]:
    """Path prefixes of the checkpoints in `folder`, newest first, whole or not."""

    def age(prefix: str):
        step = _STEP.search(prefix)
        return (int(step.group(1)) if step else -1, os.path.getmtime(prefix + ".index"))

    found = glob.glob(os.path.join(glob.escape(folder), "*.index"))
    return sorted((path[: -len(".index")] for path in found), key=age, reverse=True)


def exists(prefix: str) -> bool:
    """Whether there is a checkpoint of this path prefix, whole or not; or a file of Keras."""
    return os.path.exists(prefix + ".index") or keras_file.is_one(prefix)


def may_be(path: str) -> bool:
    """Whether `resolve` might take `path`, by its name alone."""
    return path in SHIPPED + (AUTO,) or os.path.isdir(path) or exists(_ENDINGS.sub("", path))


def damage(prefix: str) -> Optional[str]:
    """What is wrong with a checkpoint in a few words; None if every tensor of it can be read.

    Reads all of it: TensorFlow keeps a checksum of every tensor and compares it. A number that is
    not finite is damage too: nothing goes on from such weights.

    Raises:
      UserError: one of its files is there and cannot be opened, which says nothing of what it
        holds.
    """
    from bsrn_estimator.compat import tf

    try:
        if not keras_file.is_one(prefix):
            missing = _missing_file(prefix)
            if missing:
                return "%s is missing" % missing
            if os.path.getsize(prefix + ".index") == 0:
                return "its index is empty"
        reader = literal.reader(prefix)
        for name in reader.get_variable_to_shape_map():
            value = reader.get_tensor(name)
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                return name + NOT_FINITE
    except (tf.errors.OpError, OSError, RuntimeError, ValueError, LookupError) as error:
        # TensorFlow 2 says "out of range", among others, by Python's own exceptions.
        sentence = str(error).strip().splitlines() or [type(error).__name__]
        return sentence[0].replace(literal.prefix(prefix), prefix)[:160]
    return None


def _missing_file(prefix: str) -> Optional[str]:
    """The name of the first file of a checkpoint that is not there; see `damage` for errors."""
    ending = glob.escape(prefix) + ".data-*-of-*"
    found = sorted(path for path in glob.glob(ending) if _ENDINGS.search(path))
    count = int(found[-1].rsplit("-", 1)[1]) if found else 1
    for path in [prefix + ".index"] + _data_files(prefix, count):
        try:
            with open(path, "rb"):
                pass
        except FileNotFoundError:
            return os.path.basename(path)
        except OSError as error:
            raise UserError(
                "%s cannot be read (%s); make it readable, or name another checkpoint"
                % (path, error.strerror)
            ) from None
    return None


def _data_files(prefix: str, count: int) -> List[str]:
    return ["%s.data-%05d-of-%05d" % (prefix, number, count) for number in range(count)]


def adopt_newest_whole(model_dir: str) -> Optional[str]:
    """Makes the newest whole checkpoint the one that tf.estimator goes on from.

    An Estimator believes the file `checkpoint` of its folder. After a crash that file may name a
    checkpoint that cannot be read, or be missing, which would mean a start from nothing.

    Returns:
      The path prefix of that checkpoint; None where the folder has none, and is left as it is.
    """
    from bsrn_estimator.compat import tf

    newest = newest_whole(model_dir) if os.path.isdir(model_dir) else None
    if newest is None:
        return None
    try:
        state = tf.train.get_checkpoint_state(literal.folder(model_dir))
    except ValueError:
        # It names no checkpoint, or is not text.
        state = None
    older = checkpoints_in(model_dir)
    older = older[older.index(newest) :]
    if state is None or not _names(state, newest):
        write_state(model_dir, newest, older)
    return newest


def _names(state, newest: str) -> bool:
    """Whether the file `checkpoint` names `newest`, and nothing outside of its folder."""
    folder = os.path.realpath(os.path.dirname(newest))
    named = [state.model_checkpoint_path] + list(state.all_model_checkpoint_paths)
    inside = all(os.path.realpath(os.path.dirname(path)) == folder for path in named)
    return inside and os.path.basename(named[0]) == os.path.basename(newest)


def remove(prefix: str) -> None:
    """Removes a checkpoint; the newest whole one of its folder becomes that to go on from."""
    folder = os.path.dirname(prefix)
    for path in glob.glob(glob.escape(prefix) + ".*"):
        os.remove(path)
    if not adopt_newest_whole(folder):
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(folder, "checkpoint"))


def write_state(folder: str, newest: str, newest_first: Sequence[str]) -> None:
    """Writes the file `checkpoint`, which says what an Estimator goes on from.

    It names checkpoints by their names alone, so that a folder that is copied or moved names its
    own.

    Args:
      folder: the folder of the checkpoints.
      newest: path prefix of the one to go on from.
      newest_first: those that rotation will remove in time, `newest` among them.
    """
    names = [os.path.basename(path) for path in reversed(newest_first)]
    from bsrn_estimator.compat import tf

    state = tf.train.generate_checkpoint_state_proto(os.curdir, os.path.basename(newest), names)
    with files.written_whole(os.path.join(folder, "checkpoint")) as file:
        file.write(str(state))


def checkpoint_of(model_dir: str, step: int) -> str:
    """Path prefix of the checkpoint that training wrote at `step`."""
    return os.path.join(model_dir, "model.ckpt-%d" % step)


def adopted(model_dir: str) -> Optional[str]:
    """Path prefix of the checkpoint that tf.estimator goes on from; None where there is none."""
    from bsrn_estimator.compat import tf

    newest = tf.train.latest_checkpoint(literal.folder(model_dir))
    return newest and os.path.join(model_dir, os.path.basename(newest))


def newest_step(model_dir: str) -> int:
    """The step of the newest checkpoint in `model_dir`; 0 where there is none."""
    from bsrn_estimator.compat import tf

    newest = adopted(model_dir)
    return int(literal.reader(newest).get_tensor(tf.GraphKeys.GLOBAL_STEP)) if newest else 0


def remove_leftovers(model_dir: str) -> None:
    """Removes what checkpoints that were never finished left behind."""
    for path in glob.glob(os.path.join(glob.escape(model_dir), "model.ckpt-*_temp*")):
        shutil.rmtree(path, ignore_errors=True)
