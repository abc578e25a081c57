"""What results are called: as a person expects, and never two alike."""

import hashlib
import os
import unicodedata
from typing import Dict, List, Sequence

from bsrn_estimator.pictures.files import is_picture

_LONGEST_NAME = 255  # bytes, on the usual file systems


def result_names(relatives: Sequence[str], ending: str) -> List[str]:
    """Paths of the results of pictures, below an output folder.

    `photo.jpg` becomes `photo.png`. Where that would meet the result of another of the pictures, on
    a file system that knows no difference between capitals and others too, the ending is put
    behind the whole name (`photo.jpg.png`), but for a name that has it already.

    Args:
      relatives: paths of the pictures below the folder that was searched, all different.
      ending: what the results end with, such as ".png".
    """
    long_ones: Dict[str, str] = {}
    while True:
        names = [long_ones.get(path) or short_name(path, ending) for path in relatives]
        places: Dict[str, List[int]] = {}
        for index, name in enumerate(names):
            places.setdefault(unicodedata.normalize("NFC", name).casefold(), []).append(index)
        before = len(long_ones)
        for group in (group for group in places.values() if len(group) > 1):
            taken = any(relatives[index] in long_ones for index in group)
            for path, name in ((relatives[index], names[index]) for index in group):
                if path not in long_ones and (taken or path != name):
                    long_ones[path] = long_name(path, ending)
        if len(long_ones) == before:
            return names


def short_name(relative: str, ending: str) -> str:
    """The path with another ending, or with one if it has none of a picture."""
    stem = os.path.splitext(relative)[0] if is_picture(relative) else relative
    return _fitting(stem + ending)


def long_name(relative: str, ending: str) -> str:
    """The path with an ending behind its own."""
    return _fitting(relative + ending)


def _fitting(path: str) -> str:
    """The path, its name cut where it would be too long, with a digest of what it was."""
    folder, name = os.path.split(path)
    if len(os.fsencode(name)) <= _LONGEST_NAME:
        return path
    stem, ending = os.path.splitext(name)
    mark = "_" + hashlib.sha256(os.fsencode(name)).hexdigest()[:8] + ending
    cut = os.fsencode(stem)[: _LONGEST_NAME - len(mark)].decode("utf-8", "ignore")
    return os.path.join(folder, cut + mark)
