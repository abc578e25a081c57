"""What cameras and the web do to a picture, done to LR patches: slight blur, noise, JPEG.

They come in this order, as they do in a camera. Which patch gets which, and how strong, is a pure
function of a key, like the places of the crops. All sums are of whole numbers, whose results do not
depend on the processor or the version of TensorFlow; so does what libjpeg does with its accurate
transform, which is what Pillow takes.
"""

import math
from typing import Any, Tuple

import numpy as np

from bsrn_estimator.compat import tf
from bsrn_estimator.config import Recipe

# An MCU of 4:2:0: two blocks of 8 in luma, one in chroma that was halved.
MCU = 16
# Draws of a patch: for each degradation whether it is done and how strong, then the JPEG's phase.
_BLUR, _NOISE, _JPEG, _PHASE = (0, 1), (2, 3), (4, 5), (6, 7)
_DRAWS = 2**31 - 1
# Steps in a range of strengths.
_LEVELS = 256
# Of weights of the blur, per axis: 8 bits of a pixel and twice 10 fit an int32.
_BLUR_BITS = 10
# Of a normal deviate, and of the noise's standard deviation in grey levels.
_NORMAL_BITS, _SIGMA_BITS = 10, 6
_NORMALS = 4096


def degrade(lr: tf.Tensor, key: Tuple[Any, Any], recipe: Recipe) -> tf.Tensor:
    """Patches with the degradations of the recipe, each on its share of them.

    What a patch gets does not depend on how many patches there are, nor on which other
    degradations the recipe names.

    Args:
      lr: uint8 [patches, size, size, 3], static.
      key: two integers or int64 scalars, the second at least 0: that of the patches' places.
      recipe: which degradations, their ranges and shares.

    Returns:
      uint8 [patches, size, size, 3].
    """
    if not recipe.degradations:
        return lr
    draws = tf.unstack(_draw(key, 0, [lr.shape[0].value, 8]), axis=1)
    if "blur" in recipe.degradations:
        lr = _blur(lr, _strength(draws, _BLUR, recipe.blur_share), recipe.blur_sigma)
    if "noise" in recipe.degradations:
        normals = _draw(key, 1, lr.shape.as_list())
        lr = _noise(lr, normals, _strength(draws, _NOISE, recipe.noise_share), recipe.noise_sigma)
    if "jpeg" in recipe.degradations:
        least, most = recipe.jpeg_quality
        quality = least + tf.mod(draws[_JPEG[1]], most - least + 1)
        phase = [tf.mod(draws[number], MCU) for number in _PHASE]
        lr = _jpeg(lr, _chosen(draws[_JPEG[0]], recipe.jpeg_share), quality, *phase)
    return lr


def kernels(sigmas: Tuple[float, float]) -> np.ndarray:
    """Gaussian kernels of one axis in whole numbers, one for each level of a range of widths.

    Args:
      sigmas: the least and the largest standard deviation, in pixels.

    Returns:
      int32 [1 + levels, 2 * radius + 1], each row with the sum 2^10; the first blurs nothing.
    """
    radius = max(1, math.ceil(3 * sigmas[1]))
    offsets = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (offsets / np.linspace(*sigmas, num=_LEVELS)[:, None]) ** 2)
    weights = np.rint(weights / weights.sum(axis=1, keepdims=True) * 2**_BLUR_BITS)
    weights = np.concatenate([np.zeros_like(weights[:1]), weights])
    # What rounding left over, and all of it in the first row.
    weights[:, radius] += 2**_BLUR_BITS - weights.sum(axis=1)
    return weights.astype(np.int32)


def normals() -> np.ndarray:
    """Equally likely values that are normally distributed: int32 [4096], in 1/1024.

    The quantiles of the normal distribution, by its inverse; so no value is beyond 3.7.
    """
    values = np.linspace(-5, 5, 10001)
    below = [0.5 * (1 + math.erf(value / math.sqrt(2))) for value in values]
    quantiles = np.interp((np.arange(_NORMALS) + 0.5) / _NORMALS, below, values)
    return np.rint(quantiles * 2**_NORMAL_BITS).astype(np.int32)


def _draw(key: Tuple[Any, Any], stream: int, shape) -> tf.Tensor:
    """int32 of `shape`, each of 0 to 2^31 - 2 equally likely, apart from the draws of crops."""
    seed, number = (tf.cast(part, tf.int64) for part in key)
    # Crops are drawn from numbers of at least 0.
    seeds = tf.stack([seed, -1 - 2 * number - stream])
    return tf.random.stateless_uniform(shape, seed=seeds, maxval=_DRAWS, minval=0, dtype=tf.int32)


def _chosen(draw: tf.Tensor, share: float) -> tf.Tensor:
    """Whether a patch is among the share of all: bool [patches]."""
    return draw < int(share * _DRAWS)


def _strength(draws, numbers: Tuple[int, int], share: float) -> tf.Tensor:
    """The row of a table of strengths for each patch, 0 for none: int32 [patches]."""
    level = 1 + tf.mod(draws[numbers[1]], _LEVELS)
    return tf.where(_chosen(draws[numbers[0]], share), level, tf.zeros_like(level))


def _blur(lr: tf.Tensor, level: tf.Tensor, sigmas: Tuple[float, float]) -> tf.Tensor:
    table = kernels(sigmas)
    taps, size = table.shape[1], lr.shape[1].value
    weights = tf.gather(tf.constant(table), level)
    places = mirrored(np.arange(-(taps // 2), size + taps // 2), size)
    pixels = tf.cast(lr, tf.int32)
    for axis in (1, 2):
        wide = tf.gather(pixels, tf.constant(places), axis=axis)
        pixels = tf.zeros_like(pixels)
        for tap in range(taps):
            part = wide[:, tap : tap + size] if axis == 1 else wide[:, :, tap : tap + size]
            pixels += part * weights[:, tap][:, None, None, None]
    return tf.cast(_shifted(pixels, 2 * _BLUR_BITS), tf.uint8)


def _noise(
    lr: tf.Tensor, draws: tf.Tensor, level: tf.Tensor, sigmas: Tuple[float, float]
) -> tf.Tensor:
    table = np.rint(np.linspace(*sigmas, num=_LEVELS) * 2**_SIGMA_BITS)
    table = tf.constant(np.concatenate([[0], table]).astype(np.int32))
    sigma = tf.gather(table, level)[:, None, None, None]
    deviates = tf.gather(tf.constant(normals()), tf.mod(draws, _NORMALS))
    noise = _shifted(deviates * sigma, _NORMAL_BITS + _SIGMA_BITS)
    return tf.cast(tf.clip_by_value(tf.cast(lr, tf.int32) + noise, 0, 255), tf.uint8)


def _shifted(values: tf.Tensor, bits: int) -> tf.Tensor:
    """`values` / 2^bits, rounded, halves upwards."""
    return tf.bitwise.right_shift(values + 2 ** (bits - 1), bits)


def _jpeg(
    lr: tf.Tensor, chosen: tf.Tensor, quality: tf.Tensor, y: tf.Tensor, x: tf.Tensor
) -> tf.Tensor:
    """Patches as parts of JPEG pictures, in which they begin at row `y` and column `x` of an MCU.

    A patch of a real JPEG picture lies anywhere on its grid of blocks. A network that saw only
    patches whose corner is a block's would learn where the blocks are from the patch's edge. What
    lies around the patch, up to whole MCUs, is its mirror image.
    """
    patches, size = lr.shape[0].value, lr.shape[1].value
    side = -(-(size + MCU - 1) // MCU) * MCU
    rows, columns = (mirrored(np.arange(side) - start[:, None], size) for start in (y, x))
    number = tf.range(patches)[:, None, None]
    places = (number * size + rows[:, :, None]) * size + columns[:, None, :]
    wide = tf.gather(tf.reshape(lr, [-1, 3]), places)
    degraded = []
    for patch in range(patches):
        done = tf.cond(
            chosen[patch],
            lambda patch=patch: _coded(wide[patch], quality[patch])[
                y[patch] : y[patch] + size, x[patch] : x[patch] + size
            ],
            lambda patch=patch: lr[patch],
        )
        done.set_shape([size, size, 3])
        degraded.append(done)
    return tf.stack(degraded)


def _coded(picture: tf.Tensor, quality: tf.Tensor) -> tf.Tensor:
    """A picture after JPEG with chroma 4:2:0, which is what this operation does and cannot tell."""
    coded = tf.raw_ops.EncodeJpegVariableQuality(images=picture, quality=quality)
    return tf.image.decode_jpeg(coded, channels=3, dct_method="INTEGER_ACCURATE")


def mirrored(places, size: int):
    """Where the pixels of a row of `size` are that a row mirrored at both ends, for ever, has.

    The pixel at an end is there twice: -1 is 0. Takes an array or a tensor of whole numbers.
    """
    places = places % (2 * size)
    where = tf.minimum if isinstance(places, tf.Tensor) else np.minimum
    return where(places, 2 * size - 1 - places)
