"""TensorFlow as this project uses it: the 1.x API in graph mode, under 1.15 and under 2.21.

Every module takes its `tf` from here. What differs between the two runtimes is kept in this file.
"""

import contextlib
import os
import warnings

from bsrn_estimator import estimator_adapter
from bsrn_estimator.quiet_start import quiet

# Level 3: without a GPU driver TensorFlow calls its absence an error, in every process. Failures
# that matter come as exceptions. Who sets a level of their own sees everything, as does --use_npu.
_LEVEL = os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
with quiet() if _LEVEL == "3" else contextlib.nullcontext(), warnings.catch_warnings():
    # TensorFlow 1.15 declares its own dtypes in a form that numpy warns of, twelve lines a start.
    warnings.simplefilter("ignore", FutureWarning)
    import tensorflow.compat.v1 as tf

    estimator_adapter.provide(tf)

TF2 = not tf.__version__.startswith("1.")

# The graph as text and with every checkpoint: a second at the start, and nobody reads it, as
# TensorBoard has the graph from the events. TensorFlow 1.15 cannot leave it out.
SAVER_OPTIONS = {"save_graph_def": False} if TF2 else {}

tf.logging.set_verbosity(tf.logging.ERROR)
if TF2:
    tf.disable_v2_behavior()
    # Replicas in graph mode: a warning of one part of TensorFlow to another, at every start.
    warnings.filterwarnings("ignore", "To make it possible to preserve tf.data options")


def one_by_one(function, elements, types):
    """`function` of each of `elements` along their first axis, one after the other.

    Args:
      function: from one element to a tensor, or to a dict of tensors.
      elements: a tensor [batch, ...].
      types: the dtypes of what `function` gives, in the same structure.

    Returns:
      What `function` gives, stacked: tensors [batch, ...].
    """
    types = {"fn_output_signature" if TF2 else "dtype": types}
    return tf.map_fn(function, elements, parallel_iterations=1, **types)


def python_function(function, inputs, types, stateful: bool = True):
    """`function` of NumPy arrays as an operation.

    Args:
      function: from arrays to an array, or to a list of arrays.
      inputs: a list of tensors.
      types: the dtype of what it gives, or a list of them.
      stateful: whether it may give something else for the same inputs, or does more than that.

    Returns:
      A tensor of unknown shape, or a list of them.
    """
    operation = tf.numpy_function if TF2 else tf.py_func
    return operation(function, inputs, types, stateful=stateful)


def choose_from_datasets(datasets, choice):
    """The next element of `datasets[i]` for each int64 `i` of the data set `choice`.

    Args:
      datasets: a list of data sets of one structure.
      choice: a data set of int64 scalars.
    """
    if TF2:
        return tf.data.Dataset.choose_from_datasets(datasets, choice, stop_on_empty_dataset=False)
    return tf.data.experimental.choose_from_datasets(datasets, choice)


def without_autotuning(dataset):
    """The data set, with the parallelism that its code gives and none that tf.data finds out.

    In TensorFlow 2 what finds it out is a thread that sleeps, twice as long each time, and that the
    end of a session waits for: minutes after a long run.
    """
    options = tf.data.Options()
    if TF2:
        options.autotune.enabled = False
    else:
        options.experimental_optimization.autotune = False
    return dataset.with_options(options)


def from_generator(generator, signature):
    """A data set of what a function without arguments yields.

    Args:
      generator: gives an iterable of structures of arrays.
      signature: the same structure of `tf.TensorSpec`.
    """
    if TF2:
        return tf.data.Dataset.from_generator(generator, output_signature=signature)
    types = tf.nest.map_structure(lambda spec: spec.dtype, signature)
    shapes = tf.nest.map_structure(lambda spec: spec.shape, signature)
    return tf.data.Dataset.from_generator(generator, types, shapes)


__all__ = [
    "SAVER_OPTIONS",
    "TF2",
    "choose_from_datasets",
    "from_generator",
    "one_by_one",
    "python_function",
    "tf",
    "without_autotuning",
]
