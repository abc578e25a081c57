"""What stops a run from outside - a full disk, damaged data - turned into one sentence."""

import contextlib
import errno
import os
import struct
import threading
from typing import Optional

from bsrn_estimator import input_fn
from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.errors import RunFailed, UserError

# As libc puts them into words; TensorFlow passes on the words alone.
_UNWRITABLE = {
    number: os.strerror(number)
    for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO)
}

# Of a TFRecord: the length of its data, and the checksum of that.
_HEADER = struct.Struct("<QI")


@contextlib.contextmanager
def readable(folder: str):
    """Turns what stops a run from outside into a UserError.

    Args:
      folder: the model folder, named where the error does not name a file.

    Raises:
      UserError: the data are damaged.
      RunFailed: nothing more can be written.
    """
    try:
        with _quiet_event_thread():
            yield
    except OSError as error:
        sentence = unwritable(error, folder)
        if sentence is None:
            raise
        raise RunFailed(sentence) from None
    except (tf.errors.OpError, RuntimeError) as error:
        sentence = unwritable(error, folder)
        if sentence:
            raise RunFailed(sentence) from None
        sentence = input_fn.sentence_of(error)
        if sentence is None:
            raise
        raise UserError(sentence) from None


def unwritable(error: Exception, folder: str) -> Optional[str]:
    """The sentence for an error that says that a disk takes no more; None for another error."""
    if isinstance(error, OSError):
        reason = _UNWRITABLE.get(error.errno)
        folder = error.filename or folder
    else:
        reason = next((words for words in _UNWRITABLE.values() if words in str(error)), None)
    if reason is None:
        return None
    return (
        "%s cannot be written (%s); make room, then the same command goes on from the newest "
        "whole checkpoint" % (folder, reason)
    )


def flush(writer: "tf.summary.FileWriter") -> None:
    """Brings all events to the disk.

    Raises:
      RuntimeError: it does not take them.
    """
    writer.flush()
    if not TF2:
        _require_whole_events(writer.event_writer._ev_writer.FileName().decode())


def _require_whole_events(path: str) -> None:
    """Looks whether a file of events ends where an event does.

    TensorFlow 1.15 tells nobody of an event that it could not write.
    """
    if not os.path.exists(path):
        # Somebody removed it while training went on; TensorFlow begins another.
        return
    size, end = os.path.getsize(path), 0
    with open(path, "rb") as file:
        while end < size:
            file.seek(end)
            header = file.read(_HEADER.size)
            if len(header) < _HEADER.size:
                break
            end += _HEADER.size + _HEADER.unpack(header)[0] + 4
    if end != size:
        raise RuntimeError("%s; %s" % (path, os.strerror(errno.ENOSPC)))


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
