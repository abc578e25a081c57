"""Convolutions in bfloat16: which of them, and a scope in which a network is built so.

bfloat16 has the range of float32 and eight significant bits, and its products cost half or less on
processors that have instructions for them. Sums over recursions and outputs stay in float32.
"""

import contextlib
from typing import ContextManager

FLOAT32, BFLOAT16 = "float32", "bfloat16"


def stays_float32(weight: str) -> bool:
    """Whether what the weight of that name belongs to is computed in float32 all the same."""
    # Eight bits hold each LR value less 127.5, but not the grey levels of a result, nor by what a
    # batch norm divides.
    return "/last_conv/" in weight or "/batch_norm/" in weight


def scope(precision: str) -> ContextManager:
    """A context in which the weights that a graph gets are of that precision.

    Args:
      precision: FLOAT32 or BFLOAT16; a convolution is computed in the type of its weights.
    """
    if precision == FLOAT32:
        return contextlib.nullcontext()
    from bsrn_estimator.compat import tf  # settings name precisions, and take no TensorFlow

    return tf.variable_scope(tf.get_variable_scope(), custom_getter=_in_bfloat16)


def _in_bfloat16(getter, name: str, *args, **kwargs):
    from bsrn_estimator.compat import tf

    variable = getter(name, *args, **kwargs)
    return variable if stays_float32(name) else tf.cast(variable, tf.bfloat16)
