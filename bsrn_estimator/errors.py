"""The one exception that means: the user's input is at fault, and here is what to do."""


class UserError(Exception):
    """A mistake in a flag, a file or a folder, said in one sentence that names it and the remedy.

    Commands print the sentence and exit with status 2; nobody sees a traceback for it.
    """
