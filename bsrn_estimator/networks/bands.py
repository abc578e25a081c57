"""The ensemble of a picture, one output after the other and each in bands of rows.

So neither the features of all outputs nor HR features of the whole picture ever stand at once. The
recursions see far, but upscaling does not: a pixel of the result depends on the features of its LR
pixel and of the two around it. So a recursion runs over the whole picture, whose features are
small, and upscaling over bands of rows, computed two rows wider on each side, which is exact.
"""

from typing import Callable, List

from bsrn_estimator.compat import tf
from bsrn_estimator.networks import bsrn_layers as layers
from bsrn_estimator.networks.bsrn_fields import BsrnFields
from bsrn_estimator.networks.choice import OutputChoice

# Three convolutions of 3x3 at 1, 2 and 4 times the size, and a last one, reach less than this.
_MARGIN = 2
# 64 channels of so many pixels take 67 MB as float32, of which four or five stand at a time.
BAND_HR_PIXELS = 2**18


def ensemble(
    lr, scale: int, network: BsrnFields, first_output: int = 0, band_hr_pixels: int = BAND_HR_PIXELS
):
    """The mean of the outputs, weighted by 2^recursion, as `layers.ensemble`, in less memory.

    Each output becomes a picture by itself: the last convolution, 2 to 3 % of the work, is not
    shared, as that would keep the features of every output until the end.

    Args:
      lr: [batch, height, width, 3], RGB in 0..255, any dtype.
      scale: one of the scales of the network.
      network: its hyper-parameters.
      first_output: leaves the outputs of smaller index out of the mean.
      band_hr_pixels: pixels of the result that are computed at a time, about.

    Returns:
      float32 [batch, scale * height, scale * width, 3], neither rounded nor clipped.
    """

    def next_output(carried):
        for _ in range(network.recursion_frequency):
            carried = layers.recursion(carried, network)
        return carried

    def picture_of(carried):
        return picture(layers.features_of(carried, network), scale, network, band_hr_pixels)

    decay = 2.0**-network.recursion_frequency
    outputs = len(network.output_recursions) - first_output
    carried = layers.start(lr, network)
    for _ in range(first_output + 1):
        carried = next_output(carried)

    def add_output(index, carried, total):
        carried = next_output(carried)
        return index + 1, carried, picture_of(carried) + decay * total

    _, _, total = tf.while_loop(
        lambda index, *_: index < outputs,
        add_output,
        [tf.constant(1), carried, picture_of(carried)],
        parallel_iterations=1,
        back_prop=False,
    )
    return total / sum(decay**index for index in range(outputs))


def picture(features, scale: int, network: BsrnFields, band_hr_pixels: int = BAND_HR_PIXELS):
    """The picture that the features of one output stand for, upscaled in bands.

    Args:
      features: float32 [batch, height, width, conv_features], one of what `layers.trunk` returned.
      scale: one of the scales of the network.
      network: its hyper-parameters.
      band_hr_pixels: pixels of the result that are computed at a time, about.

    Returns:
      float32 [batch, scale * height, scale * width, 3], neither rounded nor clipped.
    """

    def made(part):
        (result,) = layers.outputs_of([part], scale, network)
        return result

    return in_bands(features, scale, made, _MARGIN, band_hr_pixels)


def in_bands(
    features, scale: int, made: Callable, margin: int, band_hr_pixels: int = BAND_HR_PIXELS
):
    """A picture that is made of features band by band.

    Args:
      features: float32 [batch, height, width, channels].
      scale: how many times larger the picture is.
      made: a function from features [batch, rows, width, channels] to the picture, float32 [batch,
        scale * rows, scale * width, 3].
      margin: rows of features beyond its own that a row of the picture depends on, on each side.
      band_hr_pixels: pixels of the result that are computed at a time, about.

    Returns:
      float32 [batch, scale * height, scale * width, 3].
    """
    batch, height, width = tf.unstack(tf.shape(features)[:3])
    rows = tf.maximum(band_hr_pixels // (scale**2 * batch * width), 2 * margin)
    count = -tf.floordiv(-height, rows)
    # Built once outside of the loop, where variables may be made; this part never runs.
    made(features)

    def band(index):
        begin, end = index * rows, tf.minimum((index + 1) * rows, height)
        first, last = tf.maximum(begin - margin, 0), tf.minimum(end + margin, height)
        result = made(features[:, first:last])
        result = result[:, scale * (begin - first) : scale * (end - first)]
        return tf.transpose(result, [1, 0, 2, 3])

    bands = joined(count, band, tf.float32, [None, None, None, 3])
    result = tf.transpose(bands, [1, 0, 2, 3])
    sides = [None if side is None else scale * side for side in features.shape.as_list()[1:3]]
    result.set_shape([features.shape.as_list()[0]] + sides + [3])
    return result


def joined(count, part: Callable, dtype, shape: List):
    """Parts that are computed one after the other, joined along their first axis.

    Args:
      count: how many, int32 scalar.
      part: a function from an index, int32 scalar, to a part.
      dtype: of the parts.
      shape: static shape of each; None, where parts differ or it is not known.

    Returns:
      What `part` gives for 0..count-1.
    """
    parts = tf.TensorArray(dtype, count, infer_shape=False, element_shape=shape)
    _, parts = tf.while_loop(
        lambda index, _: index < count,
        lambda index, parts: (index + 1, parts.write(index, part(index))),
        [tf.constant(0), parts],
        parallel_iterations=1,
        back_prop=False,
    )
    return parts.concat()


def pictures(lr, scale: int, network: BsrnFields, choice: OutputChoice) -> List:
    """The pictures of a choice of outputs.

    Args:
      lr: [batch, height, width, 3], RGB in 0..255, any dtype.
      scale: one of `network.scales`.
      network: its hyper-parameters.
      choice: which outputs; `Bsrn.picture_names` says what they are called, and whether they exist.

    Returns:
      A list of float32 [batch, scale * height, scale * width, 3], neither rounded nor clipped.
    """
    first_output = choice.first_output
    if choice.output == "ensemble":
        return [ensemble(lr, scale, network, first_output)]
    if choice.output == "last":
        return [ensemble(lr, scale, network, len(network.output_recursions) - 1)]
    singles = [picture(part, scale, network) for part in layers.trunk(lr, network)]
    weights = network.output_weights[first_output:]
    weighted = [weight * single for weight, single in zip(weights, singles[first_output:])]
    return [tf.add_n(weighted) / sum(weights)] + singles
