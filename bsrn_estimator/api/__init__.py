"""What programs use: the functions and classes behind the names of `bsrn_estimator`."""
