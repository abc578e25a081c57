"""The command that shows what a checkpoint holds and writes it in the reference's form."""

import argparse
import os
import sys
from typing import List, Optional

import numpy as np

from bsrn_estimator import checkpoints, files
from bsrn_estimator.compat import tf
from bsrn_estimator.config import FILE_NAME
from bsrn_estimator.errors import UserError


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
        "implementation. PATH is a checkpoint or a folder, which means its newest whole one.",
    )
    commands = parser.add_subparsers(metavar="COMMAND", dest="command")
    commands.required = True
    show = commands.add_parser("show", help="print variables, shapes and hyper-parameters")
    show.add_argument("path", metavar="PATH", help="a checkpoint, or a folder of checkpoints")
    show.set_defaults(run=_show)
    write = commands.add_parser("write", help="write a checkpoint in the reference's form")
    write.add_argument("path", metavar="PATH", help="a checkpoint, or a folder of checkpoints")
    write.add_argument(
        "out",
        metavar="OUT",
        help="path prefix of the new checkpoint; for a folder, model.ckpt in it",
    )
    write.add_argument(
        "--weights_only", action="store_true", help="leave the state of the optimizer out"
    )
    write.set_defaults(run=_write)
    return parser


def _show(options) -> int:
    description = checkpoints.describe(checkpoints.resolve(options.path))
    for line in table(description):
        print(line)
    return 0


def table(description: checkpoints.Description) -> List[str]:
    """The lines that `show` prints."""
    lines = ["checkpoint      %s" % description.prefix]
    lines.append("scales          %s" % ", ".join("x%d" % s for s in description.scales))
    lines.append("conv_features   %d" % description.conv_features)
    lines.append("state_features  %d" % description.state_features)
    if not os.path.exists(os.path.join(os.path.dirname(description.prefix), FILE_NAME)):
        lines.append("recursions      not told by any shape; no %s beside it" % FILE_NAME)
    else:
        config = checkpoints.config_of(description.prefix)
        lines.append("recursions      %d" % config.recursions)
        lines.append("outputs         one after every %d" % config.recursion_frequency)
    step = description.global_step
    lines.append("global_step     %s" % ("not saved" if step is None else step))
    lines.append("optimizer       %s" % ("Adam" if description.has_optimizer else "not saved"))
    lines.append("moving average  %s" % ("of every weight" if description.is_averaged else "none"))
    lines.append("")
    rows = [(n, "x".join(str(d) for d in description.shapes[n])) for n in description.weights]
    width = max(len(name) for name, _ in rows)
    for name, shape in rows:
        count = int(np.prod(description.shapes[name]))
        lines.append("%-*s  %-14s %10s" % (width, name, shape, format(count, ",d")))
    total = format(description.parameters, ",d")
    lines.append("%-*s  %-14s %10s" % (width, "parameters", "", total))
    return lines


def _write(options) -> int:
    prefix = checkpoints.resolve(options.path)
    is_folder = os.path.isdir(options.out) or options.out.endswith(os.sep)
    out = os.path.join(options.out, "model.ckpt") if is_folder else options.out
    names = write_reference(prefix, out, options.weights_only)
    print("%s: %d variables of %s" % (out, len(names), prefix))
    return 0


def write_reference(prefix: str, out: str, weights_only: bool = False) -> List[str]:
    """Writes a checkpoint as the reference implementation would, without a `global_step`.

    Args:
      prefix: path prefix of a whole checkpoint.
      out: path prefix of the new one; its folder is made where it is missing.
      weights_only: leaves the state of Adam out, and takes the moving averages of the weights
        where there are some; with its state go the weights as training goes on with them.

    Returns:
      The names of the variables written.

    Raises:
      UserError: there is a checkpoint at `out`, the state of Adam is not there, or `out` cannot be
        written.
    """
    description = checkpoints.describe(prefix)
    if not weights_only and not description.has_optimizer:
        raise UserError("%s holds no state of Adam; add --weights_only" % prefix)
    if os.path.exists(out + ".index"):
        raise UserError("%s.index exists; name another place" % out)
    names = description.weights + ([] if weights_only else description.optimizer_names)
    reader = tf.train.load_checkpoint(prefix)
    aside = files.aside(out)
    try:
        os.makedirs(os.path.dirname(out) or ".", exist_ok=True)
        with tf.Graph().as_default(), tf.Session() as session:
            values = [tf.placeholder(tf.float32, description.shapes[name]) for name in names]
            # The operation under tf.train.Saver, which would want variables to be made first.
            save = tf.raw_ops.SaveV2(
                prefix=aside,
                tensor_names=names,
                shape_and_slices=[""] * len(names),
                tensors=values,
            )
            sources = map(description.trained, names) if weights_only else names
            session.run(save, dict(zip(values, map(reader.get_tensor, sources))))
        # The index last: what has an index is whole.
        for ending in (".data-00000-of-00001", ".index"):
            os.replace(aside + ending, out + ending)
    except (OSError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0]
        raise UserError("%s cannot be written (%s)" % (out, reason)) from None
    return names
