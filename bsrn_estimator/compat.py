"""TensorFlow as this project uses it: the 1.x API in graph mode, under 1.15 and under 2.21.

Every module takes its `tf` from here. What differs between the two runtimes is kept in this file.
"""

import contextlib
import os
import warnings

from bsrn_estimator import estimator_adapter
from bsrn_estimator.quiet_start import quiet

# Level 3: without a GPU driver TensorFlow calls its absence an error, in every process. Failures
# that matter come as exceptions. Who sets a level of their own sees everything.
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

__all__ = ["SAVER_OPTIONS", "TF2", "tf"]
