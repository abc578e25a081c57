"""Colours for pixels that have none of their own: those under full transparency.

Editors store black there, or white. A network or a bicubic kernel that looks over the edge of a
cut-out would mix it into what is visible, as an outline. Here the colours of the visible pixels go
on outwards: halved again and again, each time as the mean of the visible pixels alone, until no
pixel is without a colour; then back, each size filling the gaps of the next.
"""

from typing import Tuple

import numpy as np


def filled(colours: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """The colours, with those of invisible pixels replaced.

    Args:
      colours: uint8, uint16 or float32 [height, width, channels].
      visible: bool [height, width].

    Returns:
      The same dtype and shape; as given where visible, and everywhere if no pixel is.
    """
    if visible.all() or not visible.any():
        return np.ascontiguousarray(colours)
    # Rounded before it is enlarged: of a large picture only small copies are of floating point.
    coarse = _means(*_halved(colours, visible))
    if colours.dtype.kind == "u":
        coarse = np.rint(coarse).astype(colours.dtype)
    return np.where(visible[..., np.newaxis], colours, _doubled(coarse, colours.shape))


def _halved(values: np.ndarray, weights: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
    """Sums of values times weights, and of weights, over squares of two by two pixels: float32."""
    height, width = ((side + 1) // 2 for side in values.shape[:2])
    sums = np.zeros((height, width, values.shape[2]), np.float32)
    counts = np.zeros((height, width, 1), np.float32)
    for row in (0, 1):
        for column in (0, 1):
            part = values[row::2, column::2]
            weight = weights[row::2, column::2].reshape(part.shape[:2] + (1,)).astype(np.float32)
            sums[: part.shape[0], : part.shape[1]] += part * weight
            counts[: part.shape[0], : part.shape[1]] += weight
    return sums, counts


def _means(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Sums by counts where there are any, elsewhere what the next smaller size has: float32."""
    known = counts > 0
    means = sums / np.maximum(counts, 1)
    if known.all():
        return means
    return np.where(known, means, _doubled(_means(*_halved(means, known)), means.shape))


def _doubled(picture: np.ndarray, shape: Tuple[int, ...]) -> np.ndarray:
    """The picture [height, width, channels] at the size that `shape` gives, between its pixels."""
    import cv2  # slow to import and seldom needed

    size = shape[1], shape[0]
    return cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR).reshape(shape)
