"""What programs use: the names that `import bsrn_estimator` offers live here."""
