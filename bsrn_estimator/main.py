"""Trains, evaluates and uses BSRN: `python -m bsrn_estimator.main --mode=...`."""

import os
import signal
import sys
from typing import List, Optional

from bsrn_estimator import __version__, flags, help_text
from bsrn_estimator.errors import UserError
from bsrn_estimator.flags import FLAGS


def main(argv: Optional[List[str]] = None) -> int:
    """Carries out a command line, the program's name first; returns the exit status."""
    flags.define()
    try:
        words = list(sys.argv if argv is None else argv)
        rest = flags.parse(words)[1:]
        if FLAGS.help:
            print(help_text.page(FLAGS.mode if FLAGS["mode"].present else None))
            return 0
        if FLAGS.version:
            print("bsrn_estimator %s" % __version__)
            return 0
        if rest:
            raise UserError("%s is not a flag; every argument starts with --" % rest[0])
        flags.check()
        unread = ", ".join("--" + name for name in flags.unread(words))
        if unread:
            print("warning: --mode=%s does not read %s" % (FLAGS.mode, unread), file=sys.stderr)
        if FLAGS.use_npu:
            # What Ascend logs, failures of the input pipeline among it, comes in no other way.
            os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0")
        # TensorFlow takes seconds to import: not before the flags are known to be right, and not
        # where predict has another engine.
        if FLAGS.mode == "predict":
            from bsrn_estimator import predicting

            return predicting.run()
        from bsrn_estimator import modes

        return modes.run(FLAGS.mode)
    except UserError as error:
        print("error: %s" % error, file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        # Where no checkpoint is to be saved; what is written appears whole or not at all.
        print("\nstopped by Ctrl-C", file=sys.stderr)
        return 128 + signal.SIGINT


def run() -> None:
    """The entry point of the command."""
    sys.exit(main())


if __name__ == "__main__":
    run()
