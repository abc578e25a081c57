"""The loss of BSRN: L1 of every output, weighted by 2^recursion (arXiv:1811.12546, section 3.4)."""

from typing import List, Sequence, Tuple

from bsrn_estimator.compat import tf


def output_l1(outputs: Sequence, hr) -> List:
    """Mean absolute difference of each output from `hr`, in grey levels of 0..255.

    Args:
      outputs: float tensors [batch, height, width, 3].
      hr: the ground truth, same shape, any dtype.

    Returns:
      One float32 scalar an output.
    """
    truth = tf.cast(hr, tf.float32)
    return [tf.reduce_mean(tf.abs(tf.cast(output, tf.float32) - truth)) for output in outputs]


def weighted_l1(outputs: Sequence, hr, weights: Sequence[float]) -> Tuple:
    """The training loss of one scale.

    Args:
      outputs: float tensors [batch, height, width, 3], one for each output of the network.
      hr: the ground truth, same shape, any dtype.
      weights: one for each output, summing to 1 (`Config.output_weights`).

    Returns:
      (float32 scalar: the weighted sum, list of float32 scalars: the L1 of each output).
    """
    parts = output_l1(outputs, hr)
    # Powers of two times the L1, the sum divided: so the reference implementation rounds.
    relative = [weight / weights[-1] for weight in weights]
    total = tf.add_n([weight * part for weight, part in zip(relative, parts)])
    return total / sum(relative), parts
