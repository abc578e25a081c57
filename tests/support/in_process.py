"""The command of this project in the process of the tests, where no process has to be started."""

from typing import Sequence

from bsrn_estimator import flags, main


def run(arguments: Sequence[str]) -> int:
    """Carries out a command line; returns its exit status."""
    reset()
    return main.main(["main"] + list(arguments))


def reset() -> None:
    """Sets back the flags of the command line before."""
    flags.define()
    flags.FLAGS.unparse_flags()
    for name in flags.FLAGS:
        flags.FLAGS[name].unparse()
