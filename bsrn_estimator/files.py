"""Files that appear whole or not at all, JSON read without trust, folders made with a sentence."""

import contextlib
import json
import os
from typing import IO, Any, Iterator, Optional

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


@contextlib.contextmanager
def written_whole(path: str, mode: str = "w", sync: bool = True) -> Iterator[IO]:
    """A file to write, which takes the place of `path` at the end of the block.

    Where the block raises, what was written is removed, and `path` stays as it was.

    Args:
      path: the file; its folder must exist.
      mode: "w" for text, in UTF-8, or "wb".
      sync: brings the bytes to the disk before the file gets its name, so that it is whole even
        after a power cut.

    Raises:
      OSError: it cannot be written.
    """
    beside = aside(path)
    # A link in the place of the file would lead the bytes elsewhere.
    remove(beside)
    try:
        with open(beside, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        remove(beside)
        raise


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
    text = json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with written_whole(path, "wb") as file:
        # A name that is no text, as file systems allow, becomes an escape that JSON knows.
        file.write(text.encode("utf-8", "backslashreplace"))


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
