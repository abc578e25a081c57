"""Cutting a picture into windows that overlap, so that its size does not decide the memory used.

A window never reaches over the picture's border: where the network pads with zeros, the untiled
network does the same. Inside the picture a window carries `overlap` pixels of context on each
side, which are computed and thrown away. All windows of a large picture have the same shape; where
it is free, `shape_for` chooses the one that computes the fewest pixels.
"""

from typing import List, NamedTuple, Tuple

import numpy as np

from bsrn_estimator.errors import UserError

# Context around what a tile keeps, in LR pixels. The receptive field is wider than the picture,
# but what lies far away weighs nothing: `benchmarks/upscale.py` measures the least overlap that
# keeps the tiled result within one grey level of the untiled one.
OVERLAP = 12
# Networks in an export have their HR features at once, so this many HR pixels decide the memory.
EXPORTED_TILE_HR_PIXELS = 448


# Below so many pixels the zeros around a picture outweigh it, and a white line becomes grey. Such a
# side is lengthened by its mirror image at both ends while the network looks at it.
THIN = 4
THIN_MARGIN = 8


def margins(height: int, width: int) -> Tuple[int, int]:
    """LR pixels by which a picture is lengthened above and below, and left and right."""
    return THIN_MARGIN * (height < THIN), THIN_MARGIN * (width < THIN)


def lengthened(lr: np.ndarray) -> np.ndarray:
    """The picture [height, width, channels] with its `margins`, which mirror it."""
    rows, columns = margins(*lr.shape[:2])
    if not rows and not columns:
        return lr
    return np.pad(lr, ((rows, rows), (columns, columns), (0, 0)), "symmetric")


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


def shape_for(height: int, width: int, side: int, overlap: int) -> Tuple[int, int]:
    """The shape of tiles that cover a picture with the fewest pixels computed.

    The last window along an axis is pushed back until it ends with the picture, so tiles of any one
    shape compute up to half as much again as the picture; those that divide it waste their margins
    alone. `networks.tiles.shape_for` is the same in a graph.

    Args:
      height: of the picture, in LR pixels.
      width: likewise.
      side: no tile has more pixels than a square of this side.
      overlap: see `windows`.

    Returns:
      Height and width of a tile; those of the picture where it needs no other.

    Raises:
      UserError: several tiles are needed, and a square of `side` is not longer than its margins.
    """
    if height * width <= side**2:
        return height, width
    _require_longer(side, overlap)
    rows = np.arange(1, height + 1, dtype=np.int64)
    high = _equal_length(height, rows, overlap)
    most = side**2 // high
    columns = 1 + np.maximum(0, -((most - width) // np.maximum(most - 2 * overlap, 1)))
    wide = _equal_length(width, columns, overlap)
    possible = (rows == 1) | (high > 2 * overlap)
    possible &= (columns == 1) | (most > 2 * overlap)
    best = np.where(possible, rows * high * columns * wide, np.iinfo(np.int64).max).argmin()
    return int(high[best]), int(wide[best])


def _equal_length(size: int, count: np.ndarray, overlap: int) -> np.ndarray:
    """The length of `count` windows of one length that cover an axis, margins between them."""
    return -(-(size + 2 * overlap * (count - 1)) // count)


def _require_longer(tile: int, overlap: int) -> None:
    if overlap < 0 or tile <= 2 * overlap:
        raise UserError(
            "a tile of %d pixels leaves nothing between two margins of %d; make it larger "
            "than %d, or the overlap smaller" % (tile, overlap, 2 * overlap)
        )


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
    _require_longer(tile, overlap)
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


def cover(height: int, width: int, side: int, overlap: int) -> List[Tile]:
    """The tiles of a picture in the shape that `shape_for` chooses, row by row.

    Args:
      height: of the picture, in LR pixels.
      width: likewise.
      side: no tile has more pixels than a square of this side.
      overlap: see `windows`.

    Raises:
      UserError: see `shape_for`.
    """
    return tiles_of(height, width, shape_for(height, width, side, overlap), overlap)


def work(tiles: List[Tile]) -> int:
    """The LR pixels that tiles are computed from; those of their margins count each time."""
    return sum(rows * columns for rows, columns in (tile.lr_shape for tile in tiles))
