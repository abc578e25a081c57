"""Runs the command."""

from bsrn_estimator.serve.command import run

if __name__ == "__main__":
    run()
