"""Writing a checkpoint as the reference implementation would, or the authors of SRDRM."""

import os
from typing import List

from bsrn_estimator import files
from bsrn_estimator.checkpoints import contents, keras_file, literal, tensors
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
        values = dict(zip(names, map(reader.get_tensor, sources)))
        place = literal.folder(os.path.dirname(aside))
        tensors.save(os.path.join(place, os.path.basename(aside)), values)
        # The index last: what has an index is whole.
        for ending in (".data-00000-of-00001", ".index"):
            os.replace(aside + ending, out + ending)
    except (OSError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0]
        raise UserError("%s cannot be written (%s)" % (out, reason)) from None
    return names


def write_keras(prefix: str, out: str) -> List[str]:
    """Writes the weights of a checkpoint as a file of Keras (see `keras_file`).

    Args:
      prefix: path prefix of a whole checkpoint; of the moving averages of its weights, where there
        are some.
      out: the file; its folder is made where it is missing.

    Returns:
      The names of the arrays in it.

    Raises:
      UserError: there is something at `out`, no such files are known of networks of this family, or
        `out` cannot be written.
    """
    description = contents.describe(prefix)
    if not description.family().keras_layers():
        raise UserError(
            "%s is of the family %s, of which no files of Keras are known; name a place that does "
            "not end in %s" % (prefix, description.family.family, keras_file.ENDING)
        )
    network = contents.network_of(prefix)
    if os.path.lexists(out):
        raise UserError("%s exists; name another place" % out)
    reader = literal.reader(prefix)
    values = {name: reader.get_tensor(description.trained(name)) for name in description.weights}
    try:
        os.makedirs(os.path.dirname(out) or ".", exist_ok=True)
        return keras_file.write(out, network, values)
    except OSError as error:
        raise UserError("%s cannot be written (%s)" % (out, error)) from None
