"""UIQM, the underwater image quality measure: one number for a picture, without ground truth.

K. Panetta, C. Gao, S. Agaian: Human-visual-system-inspired underwater image quality measures,
IEEE Journal of Oceanic Engineering 41 (3), 2016. A weighted sum of a measure of colour (UICM), of
sharpness (UISM) and of contrast (UIConM); higher is better.

Two points are taken as underwater super-resolution takes them (SRDRM, arXiv:1909.09437), not as
the paper writes them: contrast is the entropy-like AME of plain differences and sums where the
paper has those of the PLIP model, and blocks are 10x10 pixels. One is not: the blue weight of UISM
is 0.114, that of luma, where the code behind the figures of SRDRM has 0.144; `blue_weight` gives
it, for a comparison with those figures.
"""

import math

import numpy as np

BLOCK = 10
_UICM_WEIGHT, _UISM_WEIGHT, _UICONM_WEIGHT = 0.0282, 0.2953, 3.5753
_TRIMMED = 0.1
BLUE_WEIGHT = 0.114
SRDRM_BLUE_WEIGHT = 0.144


def uiqm(picture: np.ndarray, blue_weight: float = BLUE_WEIGHT) -> float:
    """0.0282 UICM + 0.2953 UISM + 3.5753 UIConM.

    Args:
      picture: uint8 [height, width, 3], RGB.
      blue_weight: see `uism`.

    Returns:
      The value; nan for a picture smaller than one block of 10x10.

    Raises:
      ValueError: the picture is not of this type and shape.
    """
    return (
        _UICM_WEIGHT * uicm(picture)
        + _UISM_WEIGHT * uism(picture, blue_weight)
        + _UICONM_WEIGHT * uiconm(picture)
    )


def uicm(picture: np.ndarray) -> float:
    """Colourfulness: -0.0268 |mean| + 0.1586 |deviation| of red-green and yellow-blue.

    The mean leaves out the lowest and the highest tenth of the values; the variance is that of all
    values about this mean. See `uiqm` for the argument.
    """
    red, green, blue = np.moveaxis(_checked(picture), -1, 0)
    mean_square, variance = 0.0, 0.0
    for opponent in (red - green, (red + green) / 2 - blue):
        mean = _trimmed_mean(opponent)
        mean_square += mean**2
        variance += float(np.mean(np.square(opponent - mean)))
    return -0.0268 * math.sqrt(mean_square) + 0.1586 * math.sqrt(variance)


def uism(picture: np.ndarray, blue_weight: float = BLUE_WEIGHT) -> float:
    """Sharpness: EME of each channel times its Sobel edges, weighted 0.299, 0.587, `blue_weight`.

    EME is the mean over blocks of 2 ln(largest / smallest), where a block that holds a 0 counts 0.
    The edges of a channel are scaled so that the strongest is 255. See `uiqm` for the arguments.
    """
    channels = np.moveaxis(_checked(picture), -1, 0)
    total = 0.0
    for channel, weight in zip(channels, (0.299, 0.587, blue_weight)):
        edges = _sobel(channel)
        strongest = edges.max() if edges.size else 0
        scaled = edges * (255 / strongest) if strongest else edges
        total += weight * _eme(scaled * channel)
    return total


def uiconm(picture: np.ndarray) -> float:
    """Contrast: the mean over blocks of -q ln q, q = (largest - smallest) / (largest + smallest).

    Largest and smallest are taken over the three channels; a block of one value counts 0. As a
    function of q it is highest at 1/e: more contrast than that counts less. See `uiqm` for the
    argument.
    """
    largest, smallest = _extremes(_checked(picture))
    if not largest.size:
        return math.nan
    quotient = (largest - smallest) / np.maximum(largest + smallest, 1)
    return float(np.mean(-quotient * np.log(np.where(quotient > 0, quotient, 1))))


def _checked(picture: np.ndarray) -> np.ndarray:
    picture = np.asarray(picture)
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[-1] != 3 or not picture.size:
        raise ValueError(
            "UIQM takes RGB pictures of uint8, not %s of shape %s" % (picture.dtype, picture.shape)
        )
    return picture.astype(np.float64)


def _trimmed_mean(values: np.ndarray) -> float:
    """The mean without ceil(10 %) of the values at the low end and floor(10 %) at the high end."""
    count = values.size
    low, high = math.ceil(_TRIMMED * count), count - math.floor(_TRIMMED * count)
    if low >= high:
        return float(np.mean(values))
    return float(np.mean(np.partition(values, (low, high - 1), axis=None)[low:high]))


def _sobel(channel: np.ndarray) -> np.ndarray:
    """Magnitude of the Sobel gradient; the edge pixel is repeated outside."""
    padded = np.pad(channel, 1, mode="edge")

    def gradient(values):
        difference = values[:, 2:] - values[:, :-2]
        return difference[:-2] + 2 * difference[1:-1] + difference[2:]

    return np.hypot(gradient(padded), gradient(padded.T).T)


def _eme(values: np.ndarray) -> float:
    largest, smallest = _extremes(values)
    if not largest.size:
        return math.nan
    counted = smallest > 0
    quotient = np.where(counted, largest, 1) / np.where(counted, smallest, 1)
    return float(2 * np.mean(np.log(quotient)))


def _extremes(values: np.ndarray):
    """Largest and smallest value of each whole block: two arrays [rows, columns] of blocks."""
    rows, columns = values.shape[0] // BLOCK, values.shape[1] // BLOCK
    if not rows * columns:
        return np.zeros([0]), np.zeros([0])
    whole = values[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK, -1)
    return whole.max(axis=(1, 3, 4)), whole.min(axis=(1, 3, 4))
