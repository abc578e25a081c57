"""The exceptions that mean: no fault of the program, and here is what to do."""


class UserError(Exception):
    """A mistake in a flag, a file or a folder, said in one sentence that names it and the remedy.

    Commands print the sentence and exit with `status`; nobody sees a traceback for it.
    """

    status = 2


class RunFailed(UserError):
    """What stops a run that was asked for rightly: a full disk, a loss that is not a number.

    What the run had made so far stays whole.
    """

    status = 1


def printable(name: str) -> str:
    """A file name as it can stand in one line of a message."""
    clean = name.encode("utf-8", "backslashreplace").decode()
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in clean)


def install_command(extra: str) -> str:
    """What to type for the packages of an optional part of the project: "tfds", "pictures"."""
    return "pip install 'bsrn-estimator[%s]'" % extra
