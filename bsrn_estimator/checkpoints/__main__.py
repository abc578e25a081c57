"""The command that shows what a checkpoint holds and writes it in the reference's form.

python -m bsrn_estimator.checkpoints show PATH
python -m bsrn_estimator.checkpoints write PATH OUT
python -m bsrn_estimator.checkpoints write PATH OUT.h5
python -m bsrn_estimator.checkpoints mix OUT SHARE:PATH SHARE:PATH
"""

import argparse
import os
import sys
from typing import Dict, List, Optional

import numpy as np

from bsrn_estimator import scales
from bsrn_estimator.checkpoints import config_file, contents, health, keras_file
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.checkpoints.reference import write_keras, write_mix, write_reference
from bsrn_estimator.errors import UserError, printable


def main(arguments: Optional[List[str]] = None) -> int:
    """Runs the command; returns its exit status: 0, or 2 for a mistake of the user."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except UserError as error:
        print("error: %s" % error, file=sys.stderr)
        return 2
    except BrokenPipeError:
        # The reader of the table, such as `head`, has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bsrn_estimator.checkpoints",
        description="Shows what a checkpoint holds, or writes it in the form of the reference "
        "implementation, or of SRDRM's authors. PATH is a checkpoint, a file of Keras (.h5), or a "
        "folder, which means its newest whole checkpoint.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")
    commands.required = True
    show = commands.add_parser("show", help="print variables, hyper-parameters and live units")
    show.add_argument("path", metavar="PATH", help="a checkpoint, or a folder of checkpoints")
    show.set_defaults(run=_show)
    write = commands.add_parser("write", help="write a checkpoint in the reference's form")
    write.add_argument("path", metavar="PATH", help="a checkpoint, or a folder of checkpoints")
    write.add_argument(
        "out",
        metavar="OUT",
        help="path prefix of the new checkpoint; for a folder, model.ckpt in it; a name that ends "
        "in .h5 is a file of weights as Keras has it, for SRDRM",
    )
    write.add_argument(
        "--weights_only", action="store_true", help="leave the state of the optimizer out"
    )
    write.set_defaults(run=_write)
    mix = commands.add_parser("mix", help="write the weighted mean of several checkpoints' weights")
    mix.add_argument("out", metavar="OUT", help="path prefix of the new checkpoint")
    mix.add_argument(
        "shares", metavar="SHARE:PATH", nargs="+", help="a number above 0, and a checkpoint"
    )
    mix.set_defaults(run=_mix)
    return parser


def _show(options) -> int:
    description = contents.describe(checkpoint_files.resolve(options.path))
    for line in table(description):
        print(line)
    return 0


def table(description: contents.Description) -> List[str]:
    """The lines that `show` prints."""
    lines = ["checkpoint      %s" % description.prefix]
    layers: List[str] = []
    lines.append("scales          %s" % scales.listed(description.scales))
    told = [(name, str(value)) for name, value in description.told.items() if name != "scales"]
    if config_file.exists(os.path.dirname(description.prefix)):
        network = contents.network_of(description.prefix)
        told += network.untold_lines()
        found = health.of(description.prefix, network).layers
        layers = [""] + health.table(found) if found else []
    else:
        absent = "not told by any shape; no %s beside it" % config_file.FILE_NAME
        told += [(name, absent) for name in description.family.untold[:1]]
    lines += ["%-15s %s" % row for row in told]
    step = description.known_step
    lines.append("global_step     %s" % ("not saved" if step is None else step))
    lines.append("optimizer       %s" % ("Adam" if description.has_optimizer else "not saved"))
    lines.append("moving average  %s" % ("of every weight" if description.is_averaged else "none"))
    lines += layers + [""]
    rows = [(n, "x".join(str(d) for d in description.shapes[n])) for n in description.weights]
    width = max(len(name) for name, _ in rows)
    for name, shape in rows:
        count = int(np.prod(description.shapes[name]))
        lines.append("%-*s  %-14s %10s" % (width, name, shape, format(count, ",d")))
    total = format(description.parameters, ",d")
    lines.append("%-*s  %-14s %10s" % (width, "parameters", "", total))
    return lines


def _write(options) -> int:
    prefix = checkpoint_files.resolve(options.path)
    if options.out.endswith(keras_file.ENDING):
        names = write_keras(prefix, options.out)
        print("%s: %d arrays of %s" % (options.out, len(names), prefix))
        return 0
    is_folder = os.path.isdir(options.out) or options.out.endswith(os.sep)
    out = os.path.join(options.out, "model.ckpt") if is_folder else options.out
    names = write_reference(prefix, out, options.weights_only)
    print("%s: %d variables of %s" % (out, len(names), prefix))
    return 0


def _mix(options) -> int:
    shares: Dict[str, float] = {}
    for text in options.shares:
        share, colon, path = text.partition(":")
        try:
            number = float(share)
        except ValueError:
            number = 0.0
        if not colon or number <= 0:
            raise UserError("%s is no SHARE:PATH, such as 0.9:runs/photo" % printable(text))
        prefix = checkpoint_files.resolve(path)
        shares[prefix] = shares.get(prefix, 0.0) + number
    names = write_mix(shares, options.out)
    print("%s: %d variables, mixed" % (options.out, len(names)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
