"""Files that appear whole or not at all, JSON read without trust, folders made with a sentence."""

import contextlib
import errno
import fcntl
import io
import json
import os
import stat
from typing import IO, Any, BinaryIO, Callable, Iterator, List, Optional

from bsrn_estimator.errors import UserError

INCOMPLETE = ".incomplete"

# The longest name of a file that the usual file systems take, in bytes.
_LONGEST_NAME = 255


def aside(path: str) -> str:
    """Where the file or folder `path` is written until it is whole: in the same folder.

    The name is that of `path` with `.incomplete` behind it, cut where it would be too long.
    """
    folder, name = os.path.split(path)
    room = _LONGEST_NAME - len(INCOMPLETE)
    return os.path.join(folder, os.fsdecode(os.fsencode(name)[:room]) + INCOMPLETE)


class Busy(Exception):
    """Another process is writing the file."""


def hold_aside(path: str, wait: bool = True) -> BinaryIO:
    """Opens the file that `aside` names: empty, and held against others who would write `path`.

    It is held until it is closed, so rename or remove it before. What a killed process has left
    under the name is taken over. A link, pipe or second name in its place is removed, for it would
    lead the bytes elsewhere.

    Args:
      path: the file that is meant; its folder must exist.
      wait: waits while another process holds it.

    Raises:
      Busy: another process holds it, and `wait` is false.
      OSError: it cannot be written.
    """
    beside = aside(path)
    while True:
        try:
            number = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.ENXIO):
                raise
            remove(beside)
            continue
        try:
            state = os.fstat(number)
            if stat.S_ISREG(state.st_mode) and state.st_nlink < 2:
                lock(number, wait)
                if is_at(state, beside):
                    os.ftruncate(number, 0)
                    return os.fdopen(number, "r+b")
                # Else who held it has meanwhile given it its final name, or removed it.
            else:
                remove(beside)
        except BaseException:
            os.close(number)
            raise
        os.close(number)


def lock(number: int, wait: bool = True) -> None:
    """Holds an open file against other processes until it is closed, where its system has locks.

    Raises:
      Busy: another process holds it, and `wait` is false.
    """
    try:
        fcntl.flock(number, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            raise Busy from None
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise  # a file system without locks is written as before


def is_at(state: os.stat_result, path: str) -> bool:
    """Whether the open file of this state is still the one that `path` names."""
    try:
        named = os.lstat(path)
    except FileNotFoundError:
        return False
    return (named.st_dev, named.st_ino) == (state.st_dev, state.st_ino)


@contextlib.contextmanager
def written_whole(path: str, mode: str = "w", sync: bool = True, wait: bool = True) -> Iterator[IO]:
    """A file to write, which takes the place of `path` at the end of the block.

    Where the block raises, what was written is removed, and `path` stays as it was. Two processes
    that write one file do so one after the other.

    Args:
      path: the file; its folder must exist.
      mode: "w" for text, in UTF-8, or "wb".
      sync: brings the bytes to the disk before the file gets its name, so that it is whole even
        after a power cut.
      wait: waits while another process writes the same file.

    Raises:
      Busy: another process does, and `wait` is false.
      OSError: it cannot be written.
    """
    beside = aside(path)
    with contextlib.ExitStack() as held:
        file: IO = hold_aside(path, wait)
        if "b" not in mode:
            file = io.TextIOWrapper(file, encoding="utf-8")
        held.callback(_close, file)
        try:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
            os.replace(beside, path)
        except BaseException:
            remove(beside)
            raise


def _close(file: IO) -> None:
    """Closes a file that has its name or is gone; a full disk refuses the rest of its buffer."""
    with contextlib.suppress(OSError):
        file.close()


def remove(path: str) -> None:
    """Removes a file or link, where there is one."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


def write_json(path: str, values: Any) -> None:
    """Writes `values` to `path` as JSON to be read by people too, whole or not at all.

    Raises:
      OSError: it cannot be written.
      ValueError: a number is NaN or infinite, for which JSON has no form.
    """
    content = json_bytes(values)
    with written_whole(path, "wb") as file:
        file.write(content)


def json_bytes(values: Any) -> bytes:
    """`values` as JSON to be read by people too.

    Raises:
      ValueError: a number is NaN or infinite, for which JSON has no form.
    """
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    # A name that is no text, as file systems allow, becomes an escape that JSON knows.
    return text.encode("utf-8", "backslashreplace")


def read_json(path: str, missing: Optional[str] = None) -> Any:
    """The values in a JSON file that anybody may have written.

    Args:
      path: the file.
      missing: the sentence where there is no such file.

    Raises:
      UserError: the file is missing, cannot be read, or holds no JSON.
    """
    try:
        with open(path, "rb") as file:
            return json.loads(file.read().decode("utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(missing or "%s cannot be read: %s" % (path, error.strerror)) from None
    except OSError as error:
        raise UserError("%s cannot be read: %s" % (path, error.strerror)) from None
    except (ValueError, RecursionError) as error:
        raise UserError("%s cannot be read: %s" % (path, error)) from None


def listed_paths(text: str, flag: str, exists: Callable[[str], bool] = os.path.exists) -> List[str]:
    """The paths of a list with commas.

    A comma inside the name of something that is there belongs to the name; the longest such name
    is taken.

    Args:
      text: the list.
      flag: names it in the message.
      exists: whether there is something of a name.

    Raises:
      UserError: a path is empty.
    """
    parts, paths = text.split(","), []
    while parts:
        end = len(parts)
        while end > 1 and not exists(",".join(parts[:end])):
            end -= 1
        paths.append(",".join(parts[:end]))
        parts = parts[end:]
    if not all(paths):
        raise UserError("--%s=%s lists an empty path; leave the comma out" % (flag, text))
    return paths


def names_in(folder: str) -> List[str]:
    """Names of what is in `folder`, hidden files too; none where there is no such folder.

    Raises:
      UserError: it cannot be listed.
    """
    try:
        return os.listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise UserError(
            "the folder %s cannot be listed (%s); make it readable, or name another one"
            % (folder, error.strerror)
        ) from None


def make_folder(path: str, name: Optional[str] = None) -> None:
    """Makes a folder, and those above it, where they are missing.

    Args:
      path: the folder.
      name: what the message calls it, such as "--output_dir=PATH"; by default the path.

    Raises:
      UserError: it cannot be made.
    """
    try:
        os.makedirs(path, exist_ok=True)
    except OSError as error:
        raise UserError(
            "%s cannot be written (%s); name another folder" % (name or path, error.strerror)
        ) from None
