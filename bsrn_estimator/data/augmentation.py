"""Random patches of a tile and of the LR tile that registers to it, flipped and turned.

A patch is cut, and brought into one of the eight orientations of the square, by one gather over
the tile's pixels: each pixel is copied once, whatever the orientation, and the patches of a tile
are cut together.
"""

from typing import Any, Tuple

from bsrn_estimator.compat import tf

_DRAWS = 2**31 - 1
ORIENTATIONS = 8


def draw_patches(
    key: Tuple[Any, Any], patches: int, height: Any, width: Any, patch_size: int
) -> Tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Random places for patches in an LR tile, a pure function of `key`.

    Every position is equally likely, the last row and column included, and so is each of the eight
    orientations. The draws of a patch do not depend on how many patches are drawn.

    Args:
      key: two integers or int64 scalars.
      patches: number of patches.
      height: of the LR tile, int32 scalar, at least `patch_size`.
      width: likewise.
      patch_size: height and width of an LR patch.

    Returns:
      int32 [patches] each: y and x of the first pixel, and the orientation, 0 to 7.
    """
    draws = tf.random.stateless_uniform(
        [patches, 3],
        seed=tf.stack([tf.cast(part, tf.int64) for part in key]),
        maxval=_DRAWS,
        minval=0,
        dtype=tf.int32,
    )
    y, x, orientation = tf.unstack(draws, axis=1)
    return (
        tf.mod(y, height - patch_size + 1),
        tf.mod(x, width - patch_size + 1),
        tf.mod(orientation, ORIENTATIONS),
    )


def cut(picture: tf.Tensor, y: Any, x: Any, size: int, orientation: Any) -> tf.Tensor:
    """Square patches of a picture, each in its orientation.

    The orientation is a sum: 1 flips the columns, 2 flips the rows, and 4 transposes after that.

    Args:
      picture: [height, width, channels].
      y: int32 [patches], the first row of each patch.
      x: int32 [patches], its first column.
      size: height and width of the patches.
      orientation: int32 [patches], 0 to 7.

    Returns:
      [patches, size, size, channels], of the type of `picture`.
    """
    channels = picture.shape[-1].value
    width = tf.shape(picture)[1]
    flip_columns = tf.mod(orientation, 2)
    flip_rows = tf.mod(orientation // 2, 2)
    transpose = orientation // 4
    # The corner of the tile that becomes the patch's first pixel, and the strides, in pixels of the
    # flattened tile, from one pixel of the patch to the next one below and to its right.
    first = (y + (size - 1) * flip_rows) * width + x + (size - 1) * flip_columns
    down = (1 - 2 * flip_rows) * width
    right = 1 - 2 * flip_columns
    down, right = down + transpose * (right - down), right + transpose * (down - right)
    steps = tf.range(size)
    rows = first[:, None] + down[:, None] * steps
    columns = right[:, None] * steps
    pixels = rows[:, :, None] + columns[:, None, :]
    return tf.gather_nd(tf.reshape(picture, [-1, channels]), pixels[..., None])
