"""The loss of BSRN: L1 of every output, weighted by 2^recursion (arXiv:1811.12546, section 3.4)."""

import contextlib
from typing import Callable, Dict, List, Sequence, Tuple

from bsrn_estimator.compat import tf
from bsrn_estimator.networks import bsrn_layers
from bsrn_estimator.networks.bsrn_fields import BsrnFields


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
      weights: one for each output, summing to 1 (`BsrnFields.output_weights`).

    Returns:
      (float32 scalar: the weighted sum, list of float32 scalars: the L1 of each output).
    """
    parts = output_l1(outputs, hr)
    # Powers of two times the L1, the sum divided: so the reference implementation rounds.
    relative = [weight / weights[-1] for weight in weights]
    total = tf.add_n([weight * part for weight, part in zip(relative, parts)])
    return total / sum(relative), parts


def random_loss(
    features: Dict,
    labels: Dict,
    network: BsrnFields,
    loss_scope: Callable = contextlib.nullcontext,
    unit: float = 1.0,
) -> Tuple:
    """The loss of a step on one scale.

    The weights of the scales that the step leaves out have gradients of zeros, so Adam goes on
    moving them by their momentum. So it is in the reference implementation.

    Args:
      features: "lr", [batch, patch, patch, 3], RGB in 0..255, any dtype; "scale", int32 scalar, one
        of `network.scales`, which may be left out where the network has one scale.
      labels: "hr", [batch, scale * patch, scale * patch, 3], RGB in 0..255, any dtype.
      network: its hyper-parameters.
      loss_scope: makes the context in which outputs are compared with the truth.
      unit: see `bsrn_layers.outputs_of`.

    Returns:
      (float32 scalar: the loss, list of float32 scalars: the L1 of each output in grey levels).
    """
    taken = bsrn_layers.trunk(features["lr"], network)

    def branch(scale: int) -> List:
        return bsrn_layers.outputs_of(taken, scale, network, unit, loss_scope)

    if len(network.scales) == 1:
        outputs = branch(network.scales[0])
    else:
        cases = [
            # The default binds the scale of this turn; a branch is built after the loop has ended.
            (tf.equal(features["scale"], scale), lambda scale=scale: branch(scale))
            for scale in network.scales
        ]
        # Strict: else a list of one output would come back as that output.
        outputs = tf.case(cases, exclusive=True, strict=True)
    with loss_scope():
        return weighted_l1(outputs, labels["hr"], network.output_weights)


def joint_loss(
    features: Dict,
    labels: Dict,
    network: BsrnFields,
    loss_scope: Callable = contextlib.nullcontext,
    unit: float = 1.0,
) -> Tuple:
    """The loss of a step on all scales: the mean of what `random_loss` gives for each.

    The trunk runs once over the patches of all scales, then each upscaler over its own part.

    Args:
      features: "lr", [scales * batch, patch, patch, 3], the patches of the smallest scale first,
        RGB in 0..255, any dtype.
      labels: "hr_x2", [batch, 2 * patch, 2 * patch, 3], and likewise for each of `network.scales`.
      network: its hyper-parameters.
      loss_scope: see `random_loss`.
      unit: see `bsrn_layers.outputs_of`.

    Returns:
      (float32 scalar: the loss, {scale: list of float32 scalars: the L1 of each output}).
    """
    taken = bsrn_layers.trunk(features["lr"], network)
    parts_of_scales = [tf.split(recursion, len(network.scales), axis=0) for recursion in taken]
    totals, parts = [], {}
    for index, scale in enumerate(network.scales):
        own = [recursion[index] for recursion in parts_of_scales]
        outputs = bsrn_layers.outputs_of(own, scale, network, unit, loss_scope)
        truth = labels["hr_x%d" % scale]
        with loss_scope():
            total, parts[scale] = weighted_l1(outputs, truth, network.output_weights)
        totals.append(total)
    return tf.add_n(totals) / len(totals), parts
