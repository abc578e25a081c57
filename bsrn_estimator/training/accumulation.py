"""Gradient accumulation: the loss and the gradient of a large batch, from parts of it in turn.

The parts stand in the graph of one step, each behind the gradients of the one before, so that
memory is that of a part. There is no loop: static shapes stay static, and replicas, loss scaling
and devices without control flow see nothing but a longer step.
"""

from typing import Any, Callable, Dict, List, Tuple

from bsrn_estimator.compat import tf

Batch = Tuple[Dict[str, Any], Dict[str, Any]]


def loss_and_gradients(
    features: Dict[str, Any],
    labels: Dict[str, Any],
    count: int,
    loss_of: Callable,
    gradients_of: Callable,
) -> Tuple[Any, Dict[str, Any], List[Tuple[Any, Any]]]:
    """What a step takes from a batch that is computed in `count` parts.

    A part has the same share of the patches of each scale. All parts are of one size, so the mean
    of their losses and of their gradients is that of the whole batch.

    Args:
      features: those of `data.input_fn.training_input_fn`.
      labels: likewise.
      count: how many parts, at least 2.
      loss_of: (features, labels) to (float32 scalar, {name: float32 scalar}), each a mean over
        patches; called for each part, in graphs that share their variables.
      gradients_of: a loss to [(gradient, variable)].

    Returns:
      The loss, its parts by name, and (gradient, variable) pairs.
    """
    sums: List[Any] = []
    for batch in _parts(features, labels, count):
        with tf.control_dependencies(sums):
            loss, named = loss_of(*_once_ready(batch))
            pairs = gradients_of(loss)
            found = [loss] + list(named.values()) + [gradient for gradient, _ in pairs]
            sums = [one + other for one, other in zip(sums, found)] if sums else found
    means = [total / count for total in sums]
    gradients = means[1 + len(named) :]
    return (
        means[0],
        dict(zip(named, means[1:])),
        [(gradient, variable) for gradient, (_, variable) in zip(gradients, pairs)],
    )


def _parts(features: Dict[str, Any], labels: Dict[str, Any], count: int) -> List[Batch]:
    """The batch in `count` parts; "lr" has the patches of one scale behind those of another."""
    scales = len(labels)
    lr = tf.split(features["lr"], scales * count, axis=0)
    hr = {name: tf.split(label, count, axis=0) for name, label in labels.items()}
    return [
        (
            dict(features, lr=tf.concat(lr[part::count], axis=0)),
            {name: pieces[part] for name, pieces in hr.items()},
        )
        for part in range(count)
    ]


def _once_ready(batch: Batch) -> Batch:
    """The batch behind the control dependencies of the context."""
    features, labels = batch
    return (
        dict(features, lr=tf.identity(features["lr"])),
        {name: tf.identity(label) for name, label in labels.items()},
    )
