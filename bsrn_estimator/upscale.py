"""Upscaling pictures of any size with a trained network, in bounded memory."""

from typing import Callable, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from bsrn_estimator.errors import UserError
from bsrn_estimator.tiling import Window, windows

OUTPUTS = ("ensemble", "last", "all")

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


def to_uint8(picture: np.ndarray) -> np.ndarray:
    """Rounds and clips a picture in 0..255."""
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def to_uint16(picture: np.ndarray) -> np.ndarray:
    """A picture in 0..255 on the whole range of 16 bit: 255 becomes 65535."""
    return np.clip(np.rint(picture * 257.0), 0, 65535).astype(np.uint16)


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
      network: a `trained.TrainedNetwork` or `exported.ExportedNetwork`: anything with `scales`,
        `fixed_shape` (height, width, or None), `tile(scale)`, the side of a tile, and
        `open(scales, output, first_output) -> (names, run, close)`, where `run(lr, scale)` maps
        float32 [1, height, width, 3] in 0..255 to a list of float32
        [1, s * height, s * width, 3], one for each of `names`.
      output: "ensemble", the weighted mean of all outputs; "last", the output after the last
        recursion; "all", the ensemble followed by each output.
      tile: height and width of a tile in LR pixels; None takes what keeps memory under 1 GB.
      overlap: context around what a tile keeps, in LR pixels.
      first_output: leaves the outputs of smaller index, which weigh least, out of the ensemble.
      self_ensemble: takes the mean over the eight flips and rotations of each tile, which takes
        eight times as long.
      scales: the scales to make ready; None for all that the network has.

    Raises:
      UserError: `output` is not one of the three, or the network cannot give it or a scale.
    """

    def __init__(
        self,
        network,
        output: str = "ensemble",
        tile: Optional[int] = None,
        overlap: int = OVERLAP,
        first_output: int = 0,
        self_ensemble: bool = False,
        scales: Optional[Sequence[int]] = None,
    ) -> None:
        if output not in OUTPUTS:
            raise UserError("--output takes %s, not %s" % (" or ".join(OUTPUTS), output))
        self.scales = tuple(network.scales if scales is None else scales)
        for scale in self.scales:
            _require_scale(scale, network.scales)
        self._tile, self._overlap, self._fixed = tile, overlap, network.fixed_shape
        self._network_tile = network.tile
        self._transforms = 8 if self_ensemble else 1
        self._check_transforms(network.fixed_shape)
        self.names, self._run, self._close = network.open(self.scales, output, first_output)

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

    def _windows(self, height: int, width: int, scale: int) -> Tuple[List[Window], List[Window]]:
        _require_scale(scale, self.scales)
        if self._fixed:
            if height < self._fixed[0] or width < self._fixed[1]:
                raise UserError(
                    "the picture of %d x %d pixels is smaller than the %d x %d that this exported "
                    "model takes; export one with a free shape" % ((height, width) + self._fixed)
                )
            tiles = self._fixed
        else:
            tiles = 2 * (self._tile or max(self._network_tile(scale), 4 * self._overlap),)
        return windows(height, tiles[0], self._overlap), windows(width, tiles[1], self._overlap)

    def tiles(self, height: int, width: int, scale: int) -> int:
        """How many tiles a picture of this size takes."""
        rows, columns = self._windows(height, width, scale)
        return len(rows) * len(columns)

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
        rows, columns = self._windows(lr.shape[0], lr.shape[1], scale)
        for row in rows:
            kept = [[] for _ in self.names]
            for column in columns:
                tile = lr[row.start : row.stop, column.start : column.stop]
                crop = _kept(row, scale), _kept(column, scale)
                for parts, picture in zip(kept, self._tile_pictures(tile, scale)):
                    parts.append(convert(picture[crop]))
                on_tile()
            yield [parts[0] if len(parts) == 1 else np.concatenate(parts, 1) for parts in kept]

    def upscale(self, lr: np.ndarray, scale: int) -> np.ndarray:
        """The first of the outputs for one picture held in memory.

        Args:
          lr: [height, width, 3], RGB in 0..255, any dtype.
          scale: one of `scales`.

        Returns:
          float32 [scale * height, scale * width, 3], neither rounded nor clipped.
        """
        return np.concatenate([band[0] for band in self.bands(lr, scale, convert=np.asarray)])


def _require_scale(scale: int, scales: Sequence[int]) -> None:
    if scale not in scales:
        known = ", ".join("x%d" % known for known in scales)
        raise UserError("--scales=%d: this network has %s" % (scale, known))


def _kept(window: Window, scale: int) -> slice:
    """What is kept of a window, in HR pixels from the window's start."""
    first = window.keep - window.start
    return slice(scale * first, scale * (first + window.keep_stop - window.keep))


def output_names(output: str, recursions: Sequence[int]) -> Tuple[str, ...]:
    """Names of the pictures that an output setting gives; see `Upscaler`."""
    each = tuple("recursion_%02d" % recursion for recursion in recursions)
    return {"ensemble": ("ensemble",), "last": each[-1:], "all": ("ensemble",) + each}[output]
