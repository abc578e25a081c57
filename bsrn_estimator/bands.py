"""The ensemble of a picture from top to bottom, in bands, so that HR features never stand at once.

The recursions see far, but upscaling does not: a pixel of the result depends on the features of its
LR pixel and of the two around it. So the recursions run over the whole picture, whose features are
small, and upscaling over bands of rows, computed two rows wider on each side, which is exact.
"""

from typing import Sequence

from bsrn_estimator import network
from bsrn_estimator.compat import tf
from bsrn_estimator.config import Config

# Three convolutions of 3x3 at 1, 2 and 4 times the size, and a last one, reach less than this.
_MARGIN = 2
# 64 channels of so many pixels take 50 MB as float32, of which four or five stand at a time.
BAND_HR_PIXELS = 3 * 2**16


def ensemble(
    trunk_features: Sequence,
    scale: int,
    config: Config,
    first_output: int = 0,
    band_hr_pixels: int = BAND_HR_PIXELS,
):
    """`network.ensemble_of` in bands; the arguments and the result are the same.

    Args:
      trunk_features: what `network.trunk` returned.
      scale: one of the scales of the network.
      config: the hyper-parameters.
      first_output: leaves the outputs of smaller index out of the mean.
      band_hr_pixels: pixels of the result that are computed at a time, about.

    Returns:
      float32 [batch, scale * height, scale * width, 3], neither rounded nor clipped.
    """
    features = list(trunk_features[first_output:])
    batch, height, width = tf.unstack(tf.shape(features[0])[:3])
    rows = tf.maximum(band_hr_pixels // (scale**2 * batch * width), 2 * _MARGIN)
    count = -tf.floordiv(-height, rows)
    # Built once outside of the loop, where variables may be made; this part never runs.
    network.ensemble_of(features, scale, config)

    def band(index):
        begin, end = index * rows, tf.minimum((index + 1) * rows, height)
        first, last = tf.maximum(begin - _MARGIN, 0), tf.minimum(end + _MARGIN, height)
        cut = [part[:, first:last] for part in features]
        result = network.ensemble_of(cut, scale, config)
        result = result[:, scale * (begin - first) : scale * (end - first)]
        return tf.transpose(result, [1, 0, 2, 3])

    bands = tf.TensorArray(
        tf.float32, count, infer_shape=False, element_shape=[None, None, None, 3]
    )
    _, bands = tf.while_loop(
        lambda index, _: index < count,
        lambda index, bands: (index + 1, bands.write(index, band(index))),
        [tf.constant(0), bands],
        parallel_iterations=1,
        back_prop=False,
    )
    result = tf.transpose(bands.concat(), [1, 0, 2, 3])
    sides = [None if side is None else scale * side for side in features[0].shape.as_list()[1:3]]
    result.set_shape([features[0].shape.as_list()[0]] + sides + [3])
    return result
