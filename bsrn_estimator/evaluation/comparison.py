"""Result pictures on disk, and LR, bicubic, network and HR side by side for TensorBoard."""

import io
import os
import re

import numpy as np
from PIL import Image

from bsrn_estimator import files
from bsrn_estimator.errors import UserError

# What some file system does not take in a name, path separators included.
_UNSAFE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')
_LONGEST_NAME = 200
_GAP = 4


def safe_name(name: str) -> str:
    """`name` as the name of a file in the folder it is meant for, on every file system.

    Separators and characters that some system refuses become `_`, as do a leading dot and two dots
    in a row; the name is cut at 200 bytes of UTF-8.
    """
    safe = _UNSAFE.sub("_", name).replace("..", "__")
    if safe.startswith("."):
        safe = "_" + safe[1:]
    return safe.encode("utf-8", "replace")[:_LONGEST_NAME].decode("utf-8", "ignore") or "_"


def save_png(picture: np.ndarray, path: str) -> None:
    """Writes a picture to `path`, whole or not at all; makes the folder; see `encode_png`.

    Raises:
      UserError: it cannot be written.
    """
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with files.written_whole(path, "wb", sync=False) as file:
            file.write(encode_png(picture))
    except OSError as error:
        raise UserError("%s cannot be written: %s" % (path, error.strerror)) from None


def encode_png(picture: np.ndarray) -> bytes:
    """uint8 [height, width], grey, or [height, width, 3] as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "png")
    return buffer.getvalue()


def side_by_side(
    lr: np.ndarray,
    bicubic: np.ndarray,
    network: np.ndarray,
    hr: np.ndarray,
    scale: int,
    longest: int = 256,
) -> np.ndarray:
    """The middle of a picture in four states, left to right, with white lines between them.

    Args:
      lr: uint8 [height, width, 3]; shown enlarged, every pixel a square.
      bicubic: uint8 [scale * height, scale * width, 3].
      network: as `bicubic`.
      hr: uint8, at least of that size.
      scale: HR pixels an LR pixel.
      longest: bound of the height and the width of what is shown of each, in HR pixels.

    Returns:
      uint8 [rows, 4 * columns + 12, 3].
    """
    size = [min(length, max(longest // scale, 1)) for length in lr.shape[:2]]
    top, left = [(length - part) // 2 for length, part in zip(lr.shape[:2], size)]
    enlarged = lr[top : top + size[0], left : left + size[1]]
    enlarged = enlarged.repeat(scale, axis=0).repeat(scale, axis=1)
    rows = slice(scale * top, scale * (top + size[0]))
    columns = slice(scale * left, scale * (left + size[1]))
    gap = np.full([scale * size[0], _GAP, 3], 255, np.uint8)
    parts = [enlarged]
    for picture in (bicubic, network, hr):
        parts += [gap, picture[rows, columns]]
    return np.concatenate(parts, axis=1)
