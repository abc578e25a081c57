"""The losses of SRDRM-GAN (arXiv:1909.09437, by its authors' published code)."""

from typing import Any, Dict, Optional, Tuple

from bsrn_estimator.compat import tf
from bsrn_estimator.networks import srdrm_losses

# Before the terms of the generator's loss: of the discriminator's verdict and of SRDRM's own loss;
# that of the features has none.
ADVERSARIAL_WEIGHT, SRDRM_WEIGHT = 1e-3, 1e-3
# Where Keras cuts a probability off before its logarithm.
_LEAST = 1e-7


def as_real(verdict: Any) -> Any:
    """The discriminator's loss on real pictures: mean square from 1 of a map of 0..1."""
    return tf.reduce_mean(tf.square(verdict - 1.0))


def as_fake(verdict: Any) -> Any:
    """The discriminator's loss on made pictures: mean square from 0."""
    return tf.reduce_mean(tf.square(verdict))


def adversarial(verdict: Any) -> Any:
    """The generator's: the cross entropy of a map of 0..1 with 1."""
    return -tf.reduce_mean(tf.log(tf.clip_by_value(verdict, _LEAST, 1.0 - _LEAST)))


def of_generator(
    verdict: Any, made: Any, truth: Any, compared: Optional[Tuple[Any, Any]]
) -> Tuple[Any, Dict[str, Any]]:
    """The loss of the generator, 1e-3 of the verdict's, 1e-3 of SRDRM's, and of what is compared.

    Args:
      verdict: the discriminator's on `made`.
      made: float32 [batch, height, width, 3] in -1..1.
      truth: likewise.
      compared: features of the two, or the two themselves; None for neither.

    Returns:
      (float32 scalar, {name of a part: float32 scalar}).
    """
    of_verdict = adversarial(verdict)
    of_srdrm, square, colour = srdrm_losses.content_loss(made, truth)
    parts = {"adversarial": of_verdict, "srdrm": of_srdrm, "mse": square, "redmean": colour}
    loss = ADVERSARIAL_WEIGHT * of_verdict + SRDRM_WEIGHT * of_srdrm
    if compared is not None:
        parts["content"] = srdrm_losses.mean_square(*compared)
        loss += parts["content"]
    return loss, parts
