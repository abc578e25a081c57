"""VGG19 up to block5_conv4, by whose features SRDRM-GAN compares pictures; its weights are a file
of the user's.

The file is that of Keras, vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5 (or the one with top):
for each convolution a group named as the layer, which holds a kernel and a bias. The values stand
in local variables, which no checkpoint and no export has.
"""

import functools
import hashlib
import os
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np

from bsrn_estimator.errors import UserError, printable

# Convolutions and channels of each block; a block ends in 2x2 pooling, but for the last.
BLOCKS: Tuple[Tuple[int, int], ...] = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))
# Of the files of release v0.1 of github.com/fchollet/deep-learning-models, without and with top.
KNOWN_MD5 = ("253f8cb515780f3b799900260a226db6", "cbe5617147190e668d6c5d5026f83318")
_LISTED = 3

# kernel [3, 3, in, out] and bias [out], float32.
Layer = Tuple[np.ndarray, np.ndarray]
_Shape = Tuple[int, ...]


def shapes() -> Dict[str, Tuple[_Shape, _Shape]]:
    """The shapes of kernel and bias of each layer, by its name, in order."""
    found: Dict[str, Tuple[_Shape, _Shape]] = {}
    before = 3
    for block, (count, channels) in enumerate(BLOCKS, 1):
        for index in range(1, count + 1):
            name = "block%d_conv%d" % (block, index)
            found[name] = ((3, 3, before, channels), (channels,))
            before = channels
    return found


def md5(path: str) -> str:
    """The checksum of a file of weights.

    Raises:
      UserError: it cannot be read.
    """
    digest = hashlib.md5()
    try:
        with open(path, "rb") as file:
            for part in iter(lambda: file.read(1 << 20), b""):
                digest.update(part)
    except OSError as error:
        raise UserError("--vgg19_weights=%s: %s" % (printable(path), error.strerror)) from None
    return digest.hexdigest()


@functools.lru_cache(maxsize=1)
def read(path: str) -> Dict[str, Layer]:
    """The weights in a file, by layer.

    Raises:
      UserError: it is no file of HDF5, or its arrays are not those of VGG19; the sentence lists
        what differs.
    """
    import h5py

    if not os.path.isfile(path):
        raise UserError("--vgg19_weights=%s is not there" % printable(path))
    faults: List[str] = []
    found: Dict[str, Layer] = {}
    try:
        with h5py.File(path, "r") as file:
            groups = file["model_weights"] if "model_weights" in file else file
            for name, (kernel, bias) in shapes().items():
                arrays = _arrays(h5py, groups[name]) if name in groups else []
                # By their ranks: what they are called depends on the version of Keras.
                ordered = sorted(arrays, key=lambda array: -array.ndim)
                if [array.shape for array in ordered] == [kernel, bias]:
                    found[name] = (ordered[0], ordered[1])
                else:
                    held = " and ".join(str(list(array.shape)) for array in ordered)
                    faults.append(
                        "%s holds %s, not %s and %s"
                        % (name, held or "nothing", list(kernel), list(bias))
                    )
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UserError(
            "--vgg19_weights=%s cannot be read as a file of Keras (%s)" % (printable(path), error)
        ) from None
    if faults:
        more = "; and %d more layers" % (len(faults) - _LISTED) if len(faults) > _LISTED else ""
        raise UserError(
            "--vgg19_weights=%s does not hold VGG19: %s%s"
            % (printable(path), "; ".join(faults[:_LISTED]), more)
        )
    return found


def features(picture: Any, weights: Mapping[str, Layer]) -> Any:
    """The output of block5_conv4 after its ReLU.

    Args:
      picture: float32 [batch, height, width, 3], RGB in -1..1, as it is: SRDRM-GAN feeds it so,
        neither as BGR nor less the means that the weights were trained with.
      weights: from `read`.

    Returns:
      float32 [batch, height / 16, width / 16, 512], rounded down.
    """
    from bsrn_estimator.compat import tf  # late: flags and files are checked without it

    for block, (count, _) in enumerate(BLOCKS, 1):
        for index in range(1, count + 1):
            name = "block%d_conv%d" % (block, index)
            kernel, bias = (_frozen(tf, name, part, weights[name][part]) for part in (0, 1))
            picture = tf.cast(picture, kernel.dtype.base_dtype)  # a platform may mix precisions
            convolved = tf.nn.conv2d(picture, kernel, strides=[1, 1, 1, 1], padding="SAME")
            picture = tf.nn.relu(tf.nn.bias_add(convolved, bias))
        if block < len(BLOCKS):
            window = [1, 2, 2, 1]
            picture = tf.nn.max_pool(picture, window, window, "VALID")
    return tf.cast(picture, tf.float32)


def _frozen(tf: Any, layer: str, part: int, value: np.ndarray) -> Any:
    """A local variable with a value that stands in no graph: 80 MB would go with every copy."""
    from bsrn_estimator.compat import python_function

    def first(*_args, **_kwargs):
        made = python_function(lambda: value, [], tf.float32)
        made.set_shape(value.shape)
        return made

    with tf.variable_scope("vgg19/" + layer, reuse=tf.AUTO_REUSE):
        return tf.get_variable(
            ("kernel", "bias")[part],
            value.shape,
            initializer=first,
            trainable=False,
            collections=[tf.GraphKeys.LOCAL_VARIABLES],
        )


def _arrays(h5py: Any, group: Any) -> List[np.ndarray]:
    """All arrays in a group and below."""
    found: List[np.ndarray] = []

    def take(_name, item):
        if isinstance(item, h5py.Dataset):
            found.append(np.asarray(item, np.float32))

    group.visititems(take)
    return found
