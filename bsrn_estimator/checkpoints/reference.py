"""Writing a checkpoint as the reference implementation would, or the authors of SRDRM; mixes."""

import os
from typing import Any, Dict, List, Mapping

import numpy as np

from bsrn_estimator import files
from bsrn_estimator.checkpoints import config_file, contents, keras_file, literal, tensors
from bsrn_estimator.checkpoints.config_file import Config
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
    _save(out, dict(zip(names, map(reader.get_tensor, sources))))
    return names


def write_mix(shares: Mapping[str, float], out: str) -> List[str]:
    """Writes the weighted mean of the weights of several checkpoints of one network.

    Args:
      shares: the weight of each, by its path prefix; they are divided by their sum. Of each the
        moving averages of its weights are taken, where there are some.
      out: path prefix of the new one, which gets the config.json of the first beside it.

    Returns:
      The names of the variables written.

    Raises:
      UserError: they are not of one network, a share is not above 0, there is a checkpoint at
        `out` or another config.json beside it, or `out` cannot be written.
    """
    if len(shares) < 2 or not all(0 < share < float("inf") for share in shares.values()):
        raise UserError("a mix is of two checkpoints and more, each with a share above 0")
    if os.path.exists(out + ".index"):
        raise UserError("%s.index exists; name another place" % out)
    first = next(iter(shares))
    network, folder = contents.network_of(first), os.path.dirname(out) or os.curdir
    beside = os.path.dirname(first)
    config = Config.load(beside) if config_file.exists(beside) else Config(network)
    if config_file.exists(folder) and Config.load(folder) != config:
        raise UserError("%s has a config.json of another run; name another place" % folder)
    values: Dict[str, Any] = {}
    for prefix, share in shares.items():
        if contents.network_of(prefix) != network:
            raise UserError("%s and %s hold different networks" % (first, prefix))
        description, reader = contents.describe(prefix), literal.reader(prefix)
        for name in description.weights:
            weight = reader.get_tensor(description.trained(name)).astype(np.float64)
            values[name] = values.get(name, 0.0) + weight * (share / sum(shares.values()))
    _save(out, {name: value.astype(np.float32) for name, value in values.items()})
    config.save(folder)
    return sorted(values)


def _save(out: str, values: Mapping[str, np.ndarray]) -> None:
    aside = files.aside(out)
    try:
        os.makedirs(os.path.dirname(out) or ".", exist_ok=True)
        place = literal.folder(os.path.dirname(aside))
        tensors.save(os.path.join(place, os.path.basename(aside)), values)
        # The index last: what has an index is whole.
        for ending in (".data-00000-of-00001", ".index"):
            os.replace(aside + ending, out + ending)
    except (OSError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0]
        raise UserError("%s cannot be written (%s)" % (out, reason)) from None


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
