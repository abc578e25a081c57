"""Which picture files are meant, and where the results go: names that never collide."""

import glob
import os
import re
from typing import List, NamedTuple, Optional

from bsrn_estimator.errors import UserError, printable
from bsrn_estimator.pictures.decoding import EXTENSIONS

_WILDCARD = re.compile(r"[*?[]")


class PictureFile(NamedTuple):
    """A picture to read.

    Attributes:
      path: the file.
      relative: its path below the folder that --input names, or the part of a pattern that stands
        before the first wildcard.
    """

    path: str
    relative: str

    @property
    def result(self) -> str:
        """Path of its result below an output folder, always with .png at the end.

        A name that ends in ".png" is kept; any other gets ".png" behind it, so that `a.jpg` and
        `a.bmp` become `a.jpg.png` and `a.bmp.png`. So does a PNG whose name would then be taken by
        another picture (`a.jpg.png` becomes `a.jpg.png.png`). What a result is called does not
        depend on which other pictures there are.
        """
        stem, extension = os.path.splitext(self.relative)
        keeps = extension == ".png" and not is_picture(stem)
        return self.relative if keeps else self.relative + ".png"


def is_picture(name: str) -> bool:
    """Whether a file name ends like that of a picture."""
    return os.path.splitext(name)[1].lower() in EXTENSIONS


def find(pattern: str, output_dir: str) -> List[PictureFile]:
    """The pictures that --input means, in order.

    Args:
      pattern: a picture, a folder (with the folders in it), or a pattern with *, ? or **.
      output_dir: a folder that is left out, should it lie in the folder that is searched.

    Raises:
      UserError: there are none.
    """
    if os.path.isdir(pattern):
        found = _in_folder(pattern, output_dir)
        kinds = ", ".join(extension[1:] for extension in EXTENSIONS)
        missing = "there is no picture (%s) in %s" % (kinds, printable(pattern))
    elif os.path.lexists(pattern):
        return [PictureFile(pattern, os.path.basename(pattern))]
    elif _WILDCARD.search(pattern):
        found = _matching(pattern, output_dir)
        missing = "no picture matches --input=%s" % printable(pattern)
    else:
        found, missing = [], "--input=%s does not exist" % printable(pattern)
    if not found:
        raise UserError(missing + "; name a picture, a folder, or a pattern in quotes")
    return found


def _in_folder(folder: str, output_dir: str) -> List[PictureFile]:
    left_out = os.path.realpath(output_dir)
    found = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(
            name for name in folders if os.path.realpath(os.path.join(parent, name)) != left_out
        )
        for name in sorted(filter(is_picture, names)):
            path = os.path.join(parent, name)
            found.append(PictureFile(path, os.path.relpath(path, folder)))
    return found


def _matching(pattern: str, output_dir: str) -> List[PictureFile]:
    root = os.path.dirname(_WILDCARD.split(pattern, 1)[0])
    left_out = os.path.join(os.path.realpath(output_dir), "")
    return [
        PictureFile(path, os.path.relpath(path, root or os.curdir))
        for path in sorted(set(glob.glob(pattern, recursive=True)))
        if is_picture(path)
        and not os.path.isdir(path)
        and not os.path.realpath(path).startswith(left_out)
    ]


def ground_truth(picture: PictureFile, hr_dir: str, scale: int) -> Optional[str]:
    """The HR picture of an LR one; None where there is none.

    It has the same name below `hr_dir`, with any ending, or the same without the `x4` that data
    sets put behind the names of LR pictures.
    """
    stem = os.path.splitext(picture.relative)[0]
    suffix = "x%d" % scale
    stems = [stem, stem[: -len(suffix)]] if stem.endswith(suffix) else [stem]
    for candidate in stems:
        folder = os.path.join(hr_dir, os.path.dirname(candidate))
        for name in sorted(os.listdir(folder) if os.path.isdir(folder) else []):
            if is_picture(name) and os.path.splitext(name)[0] == os.path.basename(candidate):
                return os.path.join(folder, name)
    return None
