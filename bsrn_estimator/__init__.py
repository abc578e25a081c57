"""BSRN, the Block State-based Recursive Network for super-resolution, on tf.estimator."""

__version__ = "0.1.0"
