"""The tiles of one picture: what each is computed from and what of it is kept."""

from typing import List, NamedTuple, Tuple

import numpy as np

from bsrn_estimator import tiling


class Tile(NamedTuple):
    """A rectangle of LR pixels, `tiling.Window` by `tiling.Window`."""

    rows: tiling.Window
    columns: tiling.Window

    @property
    def lr_shape(self) -> Tuple[int, int]:
        """Height and width that it is computed from."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def cut(self, lr: np.ndarray) -> np.ndarray:
        """Its pixels in the LR picture, context included."""
        return lr[self.rows.start : self.rows.stop, self.columns.start : self.columns.stop]

    def place(self, hr: np.ndarray, result: np.ndarray, scale: int) -> None:
        """Writes what is kept of its HR pixels `hr` into the HR picture `result`."""
        (from_rows, to_rows), (from_columns, to_columns) = (
            (
                slice(scale * (axis.keep - axis.start), scale * (axis.keep_stop - axis.start)),
                slice(scale * axis.keep, scale * axis.keep_stop),
            )
            for axis in (self.rows, self.columns)
        )
        result[to_rows, to_columns] = hr[from_rows, from_columns]


def tiles_of(height: int, width: int, tile: int, overlap: int) -> List[Tile]:
    """The tiles of a picture of `height` by `width` LR pixels, row by row."""
    return [
        Tile(rows, columns)
        for rows in tiling.windows(height, tile, overlap)
        for columns in tiling.windows(width, tile, overlap)
    ]
