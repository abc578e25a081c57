"""Cutting a picture into windows that overlap, so that its size does not decide the memory used.

A window never reaches over the picture's border: where the network pads with zeros, the untiled
network does the same. Inside the picture a window carries `overlap` pixels of context on each
side, which are computed and thrown away. All windows of a large picture have the same shape.
"""

from typing import List, NamedTuple, Tuple

import numpy as np

from bsrn_estimator.errors import UserError

# Context around what a tile keeps, in LR pixels. The receptive field is wider than the picture,
# but what lies far away weighs nothing: `benchmarks/upscale.py` measures the least overlap that
# keeps the tiled result within one grey level of the untiled one.
OVERLAP = 12
# Height and width of a tile in LR pixels. Features and state of a recursion stand at a time, some
# 2 kB a pixel; neither those of all outputs nor HR features of the whole tile do, see `bands`.
TILE = 208
# Networks in an export have their HR features at once, so this many HR pixels decide the memory.
EXPORTED_TILE_HR_PIXELS = 448


def default_tile(scale: int, overlap: int = OVERLAP) -> int:
    """Side of a tile in LR pixels for an export; at least half of it is kept along each axis."""
    return max(EXPORTED_TILE_HR_PIXELS // scale, 4 * overlap)


class Window(NamedTuple):
    """One span along an axis: computed from `start` to `stop`, kept from `keep` to `keep_stop`."""

    start: int
    stop: int
    keep: int
    keep_stop: int

    def kept(self, scale: int) -> slice:
        """What is kept of it, in HR pixels from its start."""
        return slice(scale * (self.keep - self.start), scale * (self.keep_stop - self.start))

    def placed(self, scale: int) -> slice:
        """Where that belongs in the HR picture."""
        return slice(scale * self.keep, scale * self.keep_stop)


def windows(size: int, tile: int, overlap: int) -> List[Window]:
    """Windows along one axis; what they keep is disjoint, in order, and covers the axis.

    Args:
      size: length of the axis, in pixels, at least 1.
      tile: length of a window; a shorter axis is one window of its own length.
      overlap: least context between what a window keeps and its ends inside the picture.

    Raises:
      UserError: the axis needs several windows, and a window is not longer than its two margins.
    """
    if size <= tile:
        return [Window(0, size, 0, size)]
    if overlap < 0 or tile <= 2 * overlap:
        raise UserError(
            "a tile of %d pixels leaves nothing between two margins of %d; make it larger than %d, "
            "or the overlap smaller" % (tile, overlap, 2 * overlap)
        )
    found, keep, start = [], 0, 0
    while keep < size:
        start = min(keep - overlap if keep else 0, size - tile)
        stop = start + tile
        keep_stop = size if stop == size else stop - overlap
        found.append(Window(start, stop, keep, keep_stop))
        keep = keep_stop
    return found


class Tile(NamedTuple):
    """A rectangle of LR pixels: a window along each axis."""

    rows: Window
    columns: Window

    @property
    def lr_shape(self) -> Tuple[int, int]:
        """Height and width that it is computed from."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def cut(self, lr: np.ndarray) -> np.ndarray:
        """Its pixels in the LR picture [height, width, ...], context included."""
        return lr[self.rows.start : self.rows.stop, self.columns.start : self.columns.stop]

    def kept(self, hr: np.ndarray, scale: int) -> np.ndarray:
        """What is kept of its HR pixels `hr`, [scale * rows, scale * columns, ...]."""
        return hr[self.rows.kept(scale), self.columns.kept(scale)]

    def place(self, hr: np.ndarray, result: np.ndarray, scale: int) -> None:
        """Writes what is kept of its HR pixels `hr` into the HR picture `result`."""
        result[self.rows.placed(scale), self.columns.placed(scale)] = self.kept(hr, scale)


def tiles_of(height: int, width: int, size: Tuple[int, int], overlap: int) -> List[Tile]:
    """The tiles of a picture, row by row.

    Args:
      height: of the picture, in LR pixels.
      width: likewise.
      size: height and width of a tile, in LR pixels.
      overlap: see `windows`.

    Raises:
      UserError: see `windows`.
    """
    columns = windows(width, size[1], overlap)
    return [Tile(rows, along) for rows in windows(height, size[0], overlap) for along in columns]
