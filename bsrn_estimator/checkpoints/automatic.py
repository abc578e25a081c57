"""Which of the networks that come with the project a picture takes, where that is left open."""

from bsrn_estimator.checkpoints import CLEAN, PHOTO
from bsrn_estimator.pictures import compression
from bsrn_estimator.pictures.decoding import Source

# What it may choose.
WORDS = (CLEAN, PHOTO)


def word_for(source: Source) -> str:
    """PHOTO for what was compressed as JPEG or lossy WebP, CLEAN for everything else.

    Args:
      source: path of a picture file, or the file's bytes.
    """
    return word_of(compression.is_lossy(source))


def word_of(is_lossy: bool) -> str:
    """The same of a picture of which that is known."""
    return PHOTO if is_lossy else CLEAN
