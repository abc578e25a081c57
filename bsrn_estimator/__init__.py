"""BSRN, the Block State-based Recursive Network for single-image super-resolution, on tf.estimator."""

__version__ = "0.1.0"
