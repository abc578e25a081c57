"""Random patches of a tile and of the LR tile that registers to it, flipped and turned.

A patch is cut, and brought into one of the eight orientations of the square, by one gather over
the tile's pixels: each pixel is copied once, whatever the orientation, and the patches of a tile
are cut together.
"""

from typing import Any, Optional, Tuple

from bsrn_estimator.compat import tf

_DRAWS = 2**31 - 1
ORIENTATIONS = 8
# Added to the number of a visit, so that flips are not drawn from what places are.
_FLIPS = 2**62


def draw_patches(
    key: Tuple[Any, Any],
    patches: int,
    height: Any,
    width: Any,
    patch_size: int,
    flip_share: Optional[float] = None,
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
      flip_share: draws as `draw_flips`; None for the eight orientations.

    Returns:
      int32 [patches] each: y and x of the first pixel, and the orientation, 0 to 7.
    """
    y, x, drawn = tf.unstack(_draw(key, [patches, 3]), axis=1)
    if flip_share is None:
        orientation = tf.mod(drawn, ORIENTATIONS)
    else:
        orientation = draw_flips(key, patches, flip_share)
    return tf.mod(y, height - patch_size + 1), tf.mod(x, width - patch_size + 1), orientation


def draw_flips(key: Tuple[Any, Any], patches: int, share: float) -> tf.Tensor:
    """Orientations, int32 [patches], without turns: a share of the columns is flipped, and
    independently a share of the rows. A pure function of `key`, as `draw_patches`."""
    seed, number = key
    drawn = _draw((seed, tf.cast(number, tf.int64) + _FLIPS), [patches, 2])
    of_columns, of_rows = tf.unstack(tf.cast(drawn < int(share * _DRAWS), tf.int32), axis=1)
    return of_columns + 2 * of_rows


def flipped(picture: tf.Tensor, orientation: Any) -> tf.Tensor:
    """A whole picture [height, width, channels] in an orientation of `draw_flips`, int32 scalar."""
    size = tf.shape(picture)
    for axis, bit in ((1, 1), (0, 2)):
        places = tf.range(size[axis])
        turned = tf.equal(tf.mod(orientation // bit, 2), 1)
        places = tf.where(turned, size[axis] - 1 - places, places)
        picture = tf.gather(picture, places, axis=axis)
    return picture


def _draw(key: Tuple[Any, Any], shape) -> tf.Tensor:
    """int32 of `shape`, each of 0 to 2^31 - 2 equally likely."""
    seed = tf.stack([tf.cast(part, tf.int64) for part in key])
    return tf.random.stateless_uniform(shape, seed, maxval=_DRAWS, minval=0, dtype=tf.int32)


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
