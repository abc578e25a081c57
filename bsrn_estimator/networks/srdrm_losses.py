"""The content loss of SRDRM: 0.8 of a mean square, 0.2 of a colour distance."""

from typing import Any, Tuple

from bsrn_estimator.compat import tf

SQUARE_WEIGHT, COLOUR_WEIGHT = 0.8, 0.2


def mean_square(result: Any, truth: Any) -> Any:
    """Mean of the squared differences of two pictures in -1..1, a float32 scalar."""
    return tf.reduce_mean(tf.square(result - truth))


def redmean(result: Any, truth: Any) -> Any:
    """The "redmean" distance of colours, squared, as the authors' code has it.

    With r, g, b the differences in grey levels and m the mean of the two reds:
    ((512 + m) r^2 / 256 + 4 g^2 + (767 - m) b^2 / 256) / 255, without the square root of its
    name's formula, the mean over all pixels.

    Args:
      result: float32 [batch, height, width, 3], in -1..1.
      truth: likewise.

    Returns:
      A float32 scalar.
    """
    result, truth = (result + 1.0) * 127.5, (truth + 1.0) * 127.5
    red = (result[..., 0] + truth[..., 0]) / 2.0
    squares = tf.square(result - truth)
    distance = (
        (512.0 + red) * squares[..., 0] / 256.0
        + 4.0 * squares[..., 1]
        + (767.0 - red) * squares[..., 2] / 256.0
    )
    return tf.reduce_mean(distance) / 255.0


def content_loss(result: Any, truth: Any) -> Tuple[Any, Any, Any]:
    """The loss of two pictures in -1..1, and its two parts: float32 scalars."""
    square, colour = mean_square(result, truth), redmean(result, truth)
    return SQUARE_WEIGHT * square + COLOUR_WEIGHT * colour, square, colour
