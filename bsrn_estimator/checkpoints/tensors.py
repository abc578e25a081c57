"""Writing arrays as a checkpoint of TensorFlow, without a network around them."""

from typing import Mapping

import numpy as np


def save(prefix: str, values: Mapping[str, np.ndarray]) -> None:
    """Writes a checkpoint of arrays.

    Args:
      prefix: its path prefix, without what TensorFlow takes for a pattern (see `literal`).
      values: the arrays by name.

    Raises:
      tf.errors.OpError: it cannot be written.
    """
    from bsrn_estimator.compat import tf

    with tf.Graph().as_default(), tf.Session() as session:
        fed = {tf.placeholder(value.dtype, value.shape): value for value in values.values()}
        # The operation under tf.train.Saver, which would want variables to be made first.
        write = tf.raw_ops.SaveV2(
            prefix=prefix,
            tensor_names=list(values),
            shape_and_slices=[""] * len(values),
            tensors=list(fed),
        )
        session.run(write, fed)
