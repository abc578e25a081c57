"""What is done to the LR pictures of a data set: `jpeg:75`, `noise:3`, `blur:0.8`.

Each is done to the whole picture with one strength, in the order of a camera: blur, noise, JPEG.
The same picture gets the same noise every time.
"""

import hashlib
import io
import math
from typing import Dict, NamedTuple, Sequence, Tuple

import numpy as np
from PIL import Image

from bsrn_estimator.errors import UserError


class Bounds(NamedTuple):
    """The least and the largest strength of a degradation, and whether it is a whole number."""

    least: float
    most: float
    whole: bool


# In the order in which they are done.
BOUNDS: Dict[str, Bounds] = {
    "blur": Bounds(0.1, 10, False),
    "noise": Bounds(0, 100, False),
    "jpeg": Bounds(1, 100, True),
}


def normalised(words: Sequence[str]) -> str:
    """Degradations as the manifest names them: "blur:0.8,jpeg:75"; empty for none.

    Args:
      words: each a NAME:STRENGTH, or several with commas.

    Raises:
      UserError: one is unknown or given twice, or its strength is out of range.
    """
    strengths: Dict[str, float] = {}
    for word in filter(None, ",".join(words).split(",")):
        name, strength = _parsed(word)
        if name in strengths:
            raise UserError("--degrade=%s: %s is given twice; give it once" % (word, name))
        strengths[name] = strength
    return ",".join("%s:%g" % (name, strengths[name]) for name in BOUNDS if name in strengths)


def degrade(pixels: np.ndarray, degradations: str, name: str) -> np.ndarray:
    """A picture with degradations.

    Args:
      pixels: uint8 [height, width, 3], RGB.
      degradations: as `normalised` gives them: blur and noise by their standard deviation, in
        pixels and in grey levels, JPEG by its quality, with chroma 4:2:0.
      name: of the picture; what the noise is drawn from.

    Returns:
      uint8 [height, width, 3].
    """
    for word in filter(None, degradations.split(",")):
        kind, strength = _parsed(word)
        if kind == "blur":
            pixels = _blurred(pixels, strength)
        elif kind == "noise":
            pixels = _noisy(pixels, strength, name)
        else:
            pixels = _coded(pixels, int(strength))
    return pixels


def _parsed(word: str) -> Tuple[str, float]:
    name, _, text = word.strip().partition(":")
    if name not in BOUNDS:
        raise UserError("--degrade takes jpeg:QUALITY, noise:SIGMA or blur:SIGMA, not %s" % word)
    bounds = BOUNDS[name]
    try:
        strength = float(text)
    except ValueError:
        strength = math.nan
    fits = bounds.least <= strength <= bounds.most
    if not fits or (bounds.whole and strength != int(strength)):
        raise UserError(
            "--degrade=%s: the strength of %s is a %snumber of %g to %g"
            % (word, name, "whole " if bounds.whole else "", bounds.least, bounds.most)
        )
    return name, strength


def _blurred(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur, the picture mirrored at its edges, which are there twice."""
    radius = math.ceil(4 * sigma)
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    result = pixels.astype(np.float32)
    for axis in (0, 1):
        edges = [(radius, radius) if each == axis else (0, 0) for each in range(3)]
        wide = np.pad(result, edges, "symmetric")
        result = np.zeros_like(result)
        for tap, weight in enumerate(weights):
            result += weight * wide[(slice(None),) * axis + (slice(tap, tap + pixels.shape[axis]),)]
    return np.rint(result).clip(0, 255).astype(np.uint8)


def _noisy(pixels: np.ndarray, sigma: float, name: str) -> np.ndarray:
    """Gaussian noise, in each channel of each pixel anew."""
    # The legacy generator, whose values numpy promises never to change.
    random = np.random.RandomState(
        np.frombuffer(hashlib.sha256(name.encode()).digest(), np.dtype("<u4"))
    )
    noise = random.standard_normal(pixels.shape) * sigma
    return np.rint(pixels + noise).clip(0, 255).astype(np.uint8)


def _coded(pixels: np.ndarray, quality: int) -> np.ndarray:
    """JPEG with chroma 4:2:0, the first block at the picture's corner."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(file))
