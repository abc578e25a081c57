"""Writing a checkpoint as the reference implementation would."""

import os
from typing import List

from bsrn_estimator import files
from bsrn_estimator.checkpoints import contents, literal
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError


def write_reference(prefix: str, out: str, weights_only: bool = False) -> List[str]:
    """Writes a checkpoint as the reference implementation would, without a `global_step`.

    Args:
      prefix: path prefix of a whole checkpoint.
      out: path prefix of the new one; its folder is made where it is missing.
      weights_only: leaves the state of Adam out, and takes the moving averages of the weights
        where there are some; with its state go the weights as training goes on with them.

    Returns:
      The names of the variables written.

    Raises:
      UserError: there is a checkpoint at `out`, the state of Adam is not there, or `out` cannot be
        written.
    """
    description = contents.describe(prefix)
    if not weights_only and not description.has_optimizer:
        raise UserError("%s holds no state of Adam; add --weights_only" % prefix)
    if os.path.exists(out + ".index"):
        raise UserError("%s.index exists; name another place" % out)
    names = description.weights + ([] if weights_only else description.optimizer_names)
    sources = [
        description.trained(name) if weights_only else description.saved(name) for name in names
    ]
    reader = literal.reader(prefix)
    aside = files.aside(out)
    try:
        os.makedirs(os.path.dirname(out) or ".", exist_ok=True)
        with tf.Graph().as_default(), tf.Session() as session:
            values = [tf.placeholder(tf.float32, description.shapes[name]) for name in sources]
            # The operation under tf.train.Saver, which would want variables to be made first.
            save = tf.raw_ops.SaveV2(
                prefix=os.path.join(
                    literal.folder(os.path.dirname(aside)), os.path.basename(aside)
                ),
                tensor_names=names,
                shape_and_slices=[""] * len(names),
                tensors=values,
            )
            session.run(save, dict(zip(values, map(reader.get_tensor, sources))))
        # The index last: what has an index is whole.
        for ending in (".data-00000-of-00001", ".index"):
            os.replace(aside + ending, out + ending)
    except (OSError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0]
        raise UserError("%s cannot be written (%s)" % (out, reason)) from None
    return names
