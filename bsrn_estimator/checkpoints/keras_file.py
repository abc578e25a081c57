"""Files of weights as Keras writes them (HDF5), in which networks of a family were published.

They are read as checkpoints: what TensorFlow is to read is written once, in a folder of its own
that goes with the process.
"""

import atexit
import functools
import os
import shutil
import tempfile
from typing import Dict, List, Mapping, NamedTuple, Tuple

import numpy as np

from bsrn_estimator import files
from bsrn_estimator.checkpoints import tensors
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks import families
from bsrn_estimator.networks.base import KerasLayer, Network

ENDING = ".h5"
# What Keras writes of itself; that of the published files.
_WRITER = {"backend": "tensorflow", "keras_version": "2.2.4"}
_LISTED = 4


class _Stored(NamedTuple):
    """A layer of a file that has weights: its name, and its arrays by their names."""

    name: str
    arrays: Dict[str, np.ndarray]


def is_one(path: str) -> bool:
    """Whether `path` is such a file, by its name."""
    return path.endswith(ENDING) and os.path.isfile(path)


def weights_of(path: str) -> Dict[str, np.ndarray]:
    """The weights in a file, float32, by the names of this project.

    Raises:
      UserError: it cannot be read, or holds no network of a family that Keras files are known of;
        the sentence lists what differs.
    """
    stored = _read(path)
    kernels = [
        one.arrays["kernel"].shape
        for one in stored
        if "kernel" in one.arrays and one.arrays["kernel"].ndim == 4
    ]
    network = families.of_keras([tuple(shape) for shape in kernels])
    if network is None:
        raise UserError(
            "%s holds no network that is known here: its %d layers with weights have %d kernels, "
            "and the generators of SRDRM have 20, 39 or 58, the last one of 5x5 or 9x9"
            % (path, len(stored), len(kernels))
        )
    wanted = [layer for layer in network.keras_layers() if layer.weights]
    faults = _differing(stored, wanted, network)
    if faults:
        more = "; and %d more" % (len(faults) - _LISTED) if len(faults) > _LISTED else ""
        raise UserError(
            "%s does not fit a network of the family %s at x%d: %s%s"
            % (path, network.family, network.scales[0], "; ".join(faults[:_LISTED]), more)
        )
    return {
        ours: one.arrays[theirs].astype(np.float32)
        for one, layer in zip(stored, wanted)
        for theirs, ours in layer.weights
    }


def _differing(stored: List[_Stored], wanted: List[KerasLayer], network: Network) -> List[str]:
    """What of a file differs from the layers of a network, in words."""
    faults = []
    if len(stored) != len(wanted):
        faults.append("it has %d layers with weights, not %d" % (len(stored), len(wanted)))
    shapes = network.weight_shapes()
    for one, layer in zip(stored, wanted):
        for theirs, ours in layer.weights:
            found = one.arrays.get(theirs)
            if found is None:
                faults.append("%s, in the place of %s, has no %s" % (one.name, layer.name, theirs))
            elif found.shape != shapes[ours]:
                faults.append(
                    "%s/%s is %s, not %s"
                    % (one.name, theirs, list(found.shape), list(shapes[ours]))
                )
        others = sorted(set(one.arrays) - {theirs for theirs, _ in layer.weights})
        if others:
            faults.append("%s has %s too" % (one.name, ", ".join(others)))
    return faults


def write(path: str, network: Network, values: Mapping[str, np.ndarray]) -> List[str]:
    """Writes a file of weights as Keras 2.2.4 would, whole or not at all.

    Args:
      path: where to.
      network: a network that Keras files are known of.
      values: its weights by the names of this project.

    Returns:
      The names of the arrays in the file.

    Raises:
      OSError: it cannot be written.
    """
    import h5py

    written = []
    aside = files.aside(path)
    layers = network.keras_layers()
    with h5py.File(aside, "w") as file:
        for name, value in _WRITER.items():
            file.attrs[name] = value.encode()
        file.attrs["layer_names"] = np.array([layer.name.encode() for layer in layers])
        for layer in layers:
            group = file.create_group(layer.name)
            names = ["%s/%s:0" % (layer.name, theirs) for theirs, _ in layer.weights]
            group.attrs["weight_names"] = np.array([name.encode() for name in names])
            for name, (_, ours) in zip(names, layer.weights):
                group.create_dataset(name, data=values[ours])
                written.append(name)
    os.replace(aside, path)
    return written


def as_checkpoint(path: str) -> str:
    """The path prefix of a checkpoint of TensorFlow with the weights of a file.

    Raises:
      UserError: see `weights_of`.
    """
    stat = os.stat(path)
    return _converted(os.path.abspath(path), stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=None)
def _converted(path: str, *_state: int) -> str:
    values = weights_of(path)
    made = tempfile.mkdtemp(prefix="checkpoint-")
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    prefix = os.path.join(made, "checkpoint")
    tensors.save(prefix, values)
    return prefix


def _read(path: str) -> List[_Stored]:
    """The layers with weights, in the order of the model."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            # That of a whole model has its weights in a group.
            root = file["model_weights"] if "model_weights" in file else file
            if "layer_names" not in root.attrs:
                raise UserError(
                    "%s has no list of layers, so it is not of Keras 2 (save_weights); newer ones "
                    "have another form" % path
                )
            named = [_text(name) for name in root.attrs["layer_names"]]
            found = [_Stored(name, _arrays(root[name])) for name in named]
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise UserError("%s cannot be read as a file of Keras (%s)" % (path, error)) from None
    return [one for one in found if one.arrays]


def _arrays(group) -> Dict[str, np.ndarray]:
    names: Tuple[str, ...] = tuple(map(_text, group.attrs["weight_names"]))
    # "conv2d_1/kernel:0" is "kernel".
    return {name.rpartition("/")[2].partition(":")[0]: group[name][()] for name in names}


def _text(name) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
