"""Shrinks the pictures of a folder, for use as HR pictures of training.

    python data_tools/shrink.py --input_dir=PHOTOS --output_dir=pictures/third --factor=1/3

A photograph that was made small has sharper edges, and less noise and fewer artefacts of JPEG, than
one as large that came so from its camera. VDSR (arXiv:1511.04587) and many after it train on
shrunk copies beside the pictures themselves.

Exit status: 0 done; 2 refused; 130 or 143 stopped by SIGINT or SIGTERM, with nothing written.
"""

import argparse
import contextlib
import fractions
import os
import shutil
import sys
from typing import Iterator, List, Optional, Tuple

import numpy as np
from PIL import Image

if __package__ in (None, ""):
    # Run as a script: the root of the project stands in for its folder on the path.
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

from bsrn_estimator import files  # noqa: E402
from bsrn_estimator.errors import UserError, printable  # noqa: E402
from bsrn_estimator.pictures import decoding, names  # noqa: E402
from bsrn_estimator.pictures.files import Listing  # noqa: E402
from bsrn_estimator.progress import progress  # noqa: E402
from data_tools.sources.search import Search  # noqa: E402
from data_tools.stopping import stop_requests  # noqa: E402


def shrunk(picture: np.ndarray, factor: fractions.Fraction) -> np.ndarray:
    """A smaller picture, by Pillow's Lanczos filter of three lobes, widened against aliasing.

    Args:
      picture: uint8 [height, width, 3].
      factor: above 0, at most 1.

    Returns:
      uint8 [height, width, 3], each side multiplied by `factor` and rounded down, but 1 at least.
    """
    height, width = (max(int(side * factor), 1) for side in picture.shape[:2])
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.LANCZOS))


def shrink_folder(input_dir: str, output_dir: str, factor: fractions.Fraction) -> Tuple[int, str]:
    """Writes the pictures of a folder, and of those in it, as smaller PNGs; all of them, or none.

    Args:
      input_dir: where to look, by the rule of `bsrn_estimator.pictures.files`.
      output_dir: gets a file for each picture, in folders as they are there; there must be no such
        folder, or an empty one.
      factor: see `shrunk`.

    Returns:
      How many there are, and a sentence on what was passed over, which may be empty.

    Raises:
      UserError: there is nothing to shrink, a picture cannot be read, or the output not be written.
      SystemExit: SIGINT or SIGTERM came; nothing was written.
    """
    listing = _listing(input_dir)
    results = names.result_names(listing.paths, ".png")
    with _made_whole(output_dir) as folder, stop_requests() as stop:
        pairs = list(zip(listing.paths, results))
        for path, result in progress(pairs, len(pairs), "Shrinking", "pictures"):
            if stop:
                raise SystemExit(128 + stop[0])
            picture = shrunk(decoding.read_rgb(os.path.join(input_dir, path)), factor)
            target = os.path.join(folder, result)
            os.makedirs(os.path.dirname(target), exist_ok=True)
            Image.fromarray(picture).save(target)
    return len(results), str(listing.passed_over)


def _listing(input_dir: str) -> Listing:
    listing = Search().pictures_in(input_dir, follow_links=False)
    if listing.outside:
        raise UserError(
            "%s is a symbolic link out of the input folder; put the picture itself there"
            % printable(listing.outside[0])
        )
    if not listing.paths:
        raise UserError(
            "%s holds no picture (%s); check --input_dir" % (printable(input_dir), decoding.KINDS)
        )
    return listing


@contextlib.contextmanager
def _made_whole(output_dir: str) -> Iterator[str]:
    """A new folder that becomes `output_dir` at the end, and goes where anything is raised."""
    output_dir = os.path.abspath(output_dir)
    named = "--output_dir=%s" % printable(output_dir)
    if os.path.lexists(output_dir) and (not os.path.isdir(output_dir) or os.listdir(output_dir)):
        raise UserError("%s exists and is not empty; name another folder" % named)
    files.make_folder(os.path.dirname(output_dir), named)
    folder = "%s.%d.incomplete" % (output_dir, os.getpid())
    try:
        os.mkdir(folder)
        yield folder
        os.replace(folder, output_dir)
    except OSError as error:
        raise UserError(
            "%s cannot be written (%s); name another folder" % (named, error.strerror)
        ) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _factor(text: str) -> fractions.Fraction:
    try:
        factor = fractions.Fraction(text)
    except (ValueError, ZeroDivisionError):
        factor = fractions.Fraction(0)
    if not 0 < factor <= 1:
        raise argparse.ArgumentTypeError(
            "takes a number above 0 and at most 1, such as 0.7 or 1/3, not %s" % text
        )
    return factor


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python data_tools/shrink.py",
        description="Shrinks the pictures of a folder, for use as HR pictures of training.",
    )
    parser.add_argument("--input_dir", required=True, help="folder to read, and those in it")
    parser.add_argument("--output_dir", required=True, help="folder to write, as PNG; must be new")
    parser.add_argument(
        "--factor", required=True, type=_factor, help="what sides are multiplied by: 0.7 or 1/3"
    )
    return parser


def main(arguments: Optional[List[str]] = None) -> int:
    """Runs the command; returns its exit status."""
    options = _parser().parse_args(arguments)
    try:
        done, passed_over = shrink_folder(options.input_dir, options.output_dir, options.factor)
    except UserError as error:
        print("error: %s" % error, file=sys.stderr)
        return 2
    except SystemExit as stopped:
        print("stopped: nothing is written", file=sys.stderr)
        return int(stopped.code or 0)
    if passed_over:
        print(passed_over)
    print(
        "%s: %d pictures, their sides shrunk to %s"
        % (printable(options.output_dir), done, options.factor)
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
