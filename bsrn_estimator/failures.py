"""What stops a run from outside - a full disk, damaged data - turned into one sentence."""

import contextlib
import errno
import os
import re
import sys
import threading
from typing import Optional

from bsrn_estimator import progress
from bsrn_estimator.errors import RunFailed, UserError

# As libc puts them into words; TensorFlow passes on the words alone.
_UNWRITABLE = {
    number: os.strerror(number)
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO)
}


@contextlib.contextmanager
def readable(folder: str):
    """Turns what stops a run from outside into a UserError, and ends what shows its progress.

    Args:
      folder: the model folder, named where the error does not name a file.

    Raises:
      UserError: the data are damaged.
      RunFailed: nothing more can be written.
    """
    try:
        with _quiet_event_thread(), _progress_ended():
            yield
    except OSError as error:
        sentence = unwritable(error, folder)
        if sentence is None:
            raise
        raise RunFailed(sentence) from None
    except Exception as error:
        if not isinstance(error, RuntimeError) and not _is_of_a_session(error):
            raise
        sentence = unwritable(error, folder)
        if sentence:
            raise RunFailed(sentence) from None
        sentence = sentence_of(error)
        if sentence is None:
            raise
        raise UserError(sentence) from None


@contextlib.contextmanager
def _progress_ended():
    try:
        yield
    except BaseException:
        progress.abandon_all()
        raise


def _is_of_a_session(error: Exception) -> bool:
    """Whether TensorFlow raised it, which may not even be imported."""
    compat = sys.modules.get("bsrn_estimator.compat")
    return compat is not None and isinstance(error, compat.tf.errors.OpError)


def unwritable(
    error: Exception, folder: str, onward: str = "from the newest whole checkpoint"
) -> Optional[str]:
    """The sentence for an error that says that a disk takes no more; None for another error.

    Args:
      error: what was raised.
      folder: named where the error does not name a file.
      onward: where the same command goes on, once there is room.
    """
    if isinstance(error, OSError):
        reason = _UNWRITABLE.get(error.errno)
        folder = error.filename or folder
    else:
        reason = next((words for words in _UNWRITABLE.values() if words in str(error)), None)
    if reason is None:
        return None
    return "%s cannot be written (%s); make room, then the same command goes on %s" % (
        folder,
        reason,
        onward,
    )


def sentence_of(error: Exception) -> Optional[str]:
    """What to tell the user of an error that came out of a session, where the input raised it.

    Args:
      error: usually a tf.errors.OpError.

    Returns:
      The sentence of the UserError behind it; for data that does not decode, one that says so;
      None where the error did not come from an input function.
    """
    text = str(getattr(error, "message", error))
    ours = re.search(r"\b(?:UserError|CorruptRecord): (.+)", text)
    found = ours or re.search(r"assertion failed: \[(the record .+)\]", text)
    if found:
        return found.group(1)
    if "IteratorGetNext" not in text:
        return None
    lines = [line.strip() for line in text.splitlines() if "[[" not in line]
    return (
        "a record does not decode (%s); check its folder with data_tools/to_tfrecord.py --verify"
        % ([line for line in lines if line] or ["no reason given"])[-1]
    )


@contextlib.contextmanager
def _quiet_event_thread():
    """Hides the traceback of TensorFlow 2's event thread, whose error flush() raises again."""
    former = getattr(threading, "excepthook", None)
    if former is None:
        yield
        return

    def hook(arguments) -> None:
        if getattr(arguments.thread, "name", "") != "EventLoggerThread":
            former(arguments)

    threading.excepthook = hook
    try:
        yield
    finally:
        threading.excepthook = former
