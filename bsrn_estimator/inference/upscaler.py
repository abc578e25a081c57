"""Upscaling pictures of any size with a trained network, in bounded memory."""

import itertools
from typing import Callable, Iterator, List, Optional, Sequence

import numpy as np

from bsrn_estimator.checkpoints.usable import UsableNetwork
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks.choice import OutputChoice
from bsrn_estimator.pictures.picture import Picture, to_uint8, with_alpha
from bsrn_estimator.pictures.tiling import Tile, cover, lengthened, margins, tiles_of
from bsrn_estimator.scales import require


def _transformed(lr: np.ndarray, index: int) -> np.ndarray:
    """One of the eight flips and rotations of [height, width, channels]; 0 leaves it as it is."""
    if index & 1:
        lr = lr[::-1]
    if index & 2:
        lr = lr[:, ::-1]
    return lr.transpose(1, 0, 2) if index & 4 else lr


def _restored(hr: np.ndarray, index: int) -> np.ndarray:
    """Undoes `_transformed`."""
    if index & 4:
        hr = hr.transpose(1, 0, 2)
    if index & 2:
        hr = hr[:, ::-1]
    return hr[::-1] if index & 1 else hr


class Upscaler:
    """Upscales pictures tile by tile; holds a session until it is closed.

    Args:
      network: the network and its weights.
      choice: the outputs wanted; by default the network's result.
      tile: a tile has no more LR pixels than a square of this side; None takes what keeps memory
        under 1 GB.
      overlap: context around what a tile keeps, in LR pixels; None takes what the network needs.
      self_ensemble: takes the mean over the eight flips and rotations of each tile, which takes
        eight times as long.
      scales: the scales to make ready; None for all that the network has.

    Raises:
      UserError: the network cannot give that output, or has no such scale.
    """

    def __init__(
        self,
        network: UsableNetwork,
        choice: Optional[OutputChoice] = None,
        tile: Optional[int] = None,
        overlap: Optional[int] = None,
        self_ensemble: bool = False,
        scales: Optional[Sequence[int]] = None,
    ) -> None:
        self.scales = tuple(network.scales if scales is None else scales)
        require(self.scales, network.scales, "this network")
        self._tile, self._fixed = tile, network.fixed_shape
        self._overlap = network.overlap if overlap is None else overlap
        self._network_tile = network.tile
        self._transforms = 8 if self_ensemble else 1
        self._check_transforms(network.fixed_shape)
        self.names, self._run, self._close = network.open(self.scales, choice or OutputChoice())

    def _check_transforms(self, shape) -> None:
        if self._transforms > 1 and shape and shape[0] != shape[1]:
            raise UserError(
                "--self_ensemble turns tiles by 90 degrees, and this exported model takes %d x %d "
                "pixels only; use a square or free shape" % shape
            )

    def close(self) -> None:
        """Ends the session."""
        self._close()

    def __enter__(self) -> "Upscaler":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def _tiles(self, height: int, width: int, scale: int) -> List[Tile]:
        require([scale], self.scales, "this network")
        rows, columns = (
            side + 2 * margin for side, margin in zip((height, width), margins(height, width))
        )
        if self._fixed:
            if rows < self._fixed[0] or columns < self._fixed[1]:
                raise UserError(
                    "the picture of %d x %d pixels is smaller than the %d x %d that this exported "
                    "model takes; export one with a free shape" % ((height, width) + self._fixed)
                )
            return tiles_of(rows, columns, self._fixed, self._overlap)
        side = self._tile or max(self._network_tile(scale), 4 * self._overlap)
        return cover(rows, columns, side, self._overlap)

    def tiles(self, height: int, width: int, scale: int) -> int:
        """How many tiles a picture of this size takes."""
        return len(self._tiles(height, width, scale))

    def layout(self, height: int, width: int, scale: int) -> Optional[List[int]]:
        """Height, width and overlap of the tiles of a picture; None where it is one tile.

        It is what the result depends on besides the network and the picture.
        """
        tiles = self._tiles(height, width, scale)
        return None if len(tiles) == 1 else list(tiles[0].lr_shape) + [self._overlap]

    def _tile_pictures(self, lr: np.ndarray, scale: int) -> List[np.ndarray]:
        """All outputs for one tile: [h, w, 3] to a list of float32 [s * h, s * w, 3]."""
        totals: List[np.ndarray] = []
        for index in range(self._transforms):
            turned = np.ascontiguousarray(_transformed(lr, index)[None], dtype=np.float32)
            pictures = [_restored(hr[0], index) for hr in self._run(turned, scale)]
            if not totals:
                totals = pictures
            else:
                totals = [total + picture for total, picture in zip(totals, pictures)]
        return [total / self._transforms for total in totals] if self._transforms > 1 else totals

    def bands(
        self,
        lr: np.ndarray,
        scale: int,
        convert: Callable[[np.ndarray], np.ndarray] = to_uint8,
        on_tile: Callable[[], None] = lambda: None,
    ) -> Iterator[List[np.ndarray]]:
        """The upscaled picture from top to bottom, one row of tiles at a time.

        Args:
          lr: [height, width, 3], RGB in 0..255, any dtype.
          scale: one of `scales`.
          convert: applied to what is kept of each tile, float32 [h, w, 3] in 0..255.
          on_tile: called after each tile.

        Yields:
          For each of `names`, [rows, scale * width, ...], as `convert` makes it.
        """
        height, width = lr.shape[:2]
        tiles = self._tiles(height, width, scale)
        above, left = margins(height, width)
        lr = lengthened(lr)
        columns = slice(scale * left, scale * (left + width))
        for window, row in itertools.groupby(tiles, key=lambda tile: tile.rows):
            kept = [[] for _ in self.names]
            for tile in row:
                for parts, picture in zip(kept, self._tile_pictures(tile.cut(lr), scale)):
                    parts.append(convert(tile.kept(picture, scale)))
                on_tile()
            rows = slice(
                scale * max(above - window.keep, 0),
                scale * max(min(above + height, window.keep_stop) - window.keep, 0),
            )
            if rows.start < rows.stop:
                yield [_joined(parts)[rows, columns] for parts in kept]

    def stored_bands(
        self, picture: Picture, scale: int, on_tile: Callable[[], None] = lambda: None
    ) -> Iterator[List[np.ndarray]]:
        """The upscaled picture as it is stored, alpha included, from top to bottom.

        Args:
          picture: what to upscale.
          scale: one of `scales`.
          on_tile: called after each tile.

        Yields:
          For each of `names`, rows of the dtype of `picture`, [rows, scale * width, channels].
        """
        row = 0
        for bands in self.bands(picture.rgb(), scale, picture.store, on_tile):
            end = row + len(bands[0]) // scale
            yield [with_alpha(band, picture, scale, row, end) for band in bands]
            row = end

    def upscale(self, lr: np.ndarray, scale: int) -> np.ndarray:
        """The first of the outputs for one picture held in memory.

        Args:
          lr: [height, width, 3], RGB in 0..255, any dtype.
          scale: one of `scales`.

        Returns:
          float32 [scale * height, scale * width, 3], neither rounded nor clipped.
        """
        return np.concatenate([band[0] for band in self.bands(lr, scale, convert=np.asarray)])


def _joined(parts: List[np.ndarray]) -> np.ndarray:
    """What tiles side by side have kept; without a copy where there is one."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
