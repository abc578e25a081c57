"""The contrast stretch of the loader of SRDRM: the darkest value of a picture becomes 0, the
brightest 255.

Their loader (github.com/xahidbuffon/SRDRM, 2019 and 2020) gives pictures of floats to
scipy.misc.imresize (SciPy 1.1), which does so before it resizes; at equal sizes it does nothing
else. `scipy.misc.imsave` does the same to the pictures that it saves.
"""

import numpy as np

PEAK = 255.0


def stretched(picture: np.ndarray) -> np.ndarray:
    """A picture with the contrast stretched to 0..255, one range for all channels.

    Args:
      picture: numeric, of any range and of a shape without zeros; [height, width, channels].

    Returns:
      uint8 of that shape: (v - lowest) * (255 / (highest - lowest)) + 0.5, rounded down; 0
      everywhere where all values are equal, as SciPy has it.
    """
    values = np.asarray(picture, np.float64)
    lowest, highest = values.min(), values.max()
    gain = PEAK / ((highest - lowest) or 1.0)
    return (np.clip((values - lowest) * gain, 0, PEAK) + 0.5).astype(np.uint8)
