"""Files of one JSON object a line, which several processes may add to and a kill leaves whole."""

import contextlib
import errno
import json
import os
from typing import Any, Callable, Dict, Iterator

from bsrn_estimator import files

_PART = 65536


def append(path: str, values: Dict[str, Any]) -> None:
    """Adds a line, whole or not at all; what a kill left of another one is removed before.

    Raises:
      OSError: it cannot be written.
      ValueError: a number is NaN or infinite, for which JSON has no form.
    """
    line = (json.dumps(values, allow_nan=False) + "\n").encode("ascii")
    with _held(path) as number:
        end = _end_of_last_line(number)
        os.ftruncate(number, end)
        if os.write(number, line) < len(line):
            os.ftruncate(number, end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)


def keep(path: str, wanted: Callable[[Dict[str, Any]], bool]) -> bool:
    """Removes the lines that are not wanted, and those that hold no object.

    Returns:
      Whether a line was removed.

    Raises:
      OSError: it cannot be written.
    """
    if not os.path.exists(path):
        return False
    with _held(path):
        with open(path, "rb") as file:
            lines = file.readlines()
        kept = [line for line in lines if _is(line, wanted)]
        if len(kept) == len(lines):
            return False
        with files.written_whole(path, "wb") as file:
            file.writelines(kept)
        return True


def read(path: str) -> Iterator[Dict[str, Any]]:
    """The objects of the whole lines; none where there is no file."""
    if os.path.exists(path):
        with open(path, "rb") as file:
            for line in file:
                if _is(line):
                    yield json.loads(line.decode("utf-8"))


def _is(line: bytes, wanted: Callable[[Dict[str, Any]], bool] = lambda _values: True) -> bool:
    """Whether a line is whole, holds an object, and that is wanted."""
    if not line.endswith(b"\n"):
        return False
    try:
        values = json.loads(line.decode("utf-8"))
    except (ValueError, RecursionError):
        return False
    return isinstance(values, dict) and wanted(values)


@contextlib.contextmanager
def _held(path: str) -> Iterator[int]:
    """The descriptor of the file, held against others who add to it or rewrite it."""
    while True:
        number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        try:
            files.lock(number)
            # Else it was rewritten while we waited, and is another file now.
            if files.is_at(os.fstat(number), path):
                yield number
                return
        finally:
            os.close(number)


def _end_of_last_line(number: int) -> int:
    """How many bytes the whole lines of a file have."""
    end = os.fstat(number).st_size
    while end > 0:
        start = max(end - _PART, 0)
        found = os.pread(number, end - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0
