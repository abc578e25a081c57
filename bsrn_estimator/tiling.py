"""Cutting a picture into windows that overlap, so that its size does not decide the memory used.

A window never reaches over the picture's border: where the network pads with zeros, the untiled
network does the same. Inside the picture a window carries `overlap` pixels of context on each
side, which are computed and thrown away. All windows of a large picture have the same shape.
"""

from typing import List, NamedTuple

from bsrn_estimator.errors import UserError


class Window(NamedTuple):
    """One span along an axis: computed from `start` to `stop`, kept from `keep` to `keep_stop`."""

    start: int
    stop: int
    keep: int
    keep_stop: int


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
            "a tile of %d pixels leaves nothing between two margins of %d; make --tile larger "
            "than %d" % (tile, overlap, 2 * overlap)
        )
    found, keep, start = [], 0, 0
    while keep < size:
        start = min(keep - overlap if keep else 0, size - tile)
        stop = start + tile
        keep_stop = size if stop == size else stop - overlap
        found.append(Window(start, stop, keep, keep_stop))
        keep = keep_stop
    return found
