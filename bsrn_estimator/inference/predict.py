"""Mode predict: upscales picture files.

    OUTPUT_DIR/x4/NAME.png                the result
    OUTPUT_DIR/x4_recursion_08/NAME.png   with --output=all, each output of the network
    OUTPUT_DIR/x4_bicubic/NAME.png        with --compare
    OUTPUT_DIR/metrics.json               with --hr_dir

`pictures.names` says what NAME is. Every result carries a record of what it was made of; it is not
made again while that stays the same. Two commands may share an output folder, and the work.
"""

import contextlib
import os
import sys
from typing import Iterator, Optional, Sequence, Tuple

from bsrn_estimator import failures
from bsrn_estimator import files as file_tools
from bsrn_estimator.errors import RunFailed, UserError, printable
from bsrn_estimator.inference import finding, sharing
from bsrn_estimator.inference.job import Job
from bsrn_estimator.inference.options import PredictOptions
from bsrn_estimator.inference.sharing import Find, Share
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.pictures import files as picture_files
from bsrn_estimator.pictures.decoding import picture_size
from bsrn_estimator.pictures.files import PictureFile
from bsrn_estimator.progress import Progress, progress
from bsrn_estimator.scales import SUPPORTED


def run(options: PredictOptions, find: Optional[Find] = None) -> int:
    """Upscales the pictures; returns 0, or 1 where some were skipped.

    Args:
      options: what to do.
      find: gives the network of options that name one; by default `finding.in_tensorflow`.

    Raises:
      UserError: nothing can be done: no picture, no network, no such scale.
      RunFailed: the disk takes no more; what was finished stays.
    """
    find = find or finding.in_tensorflow
    # What is wrong with a network that is named is told before folders are searched.
    named = None if sharing.is_open(options) else find(options)
    found = picture_files.find(
        options.input, options.output_dir, options.follow_links, options.from_results
    )
    shares = (
        sharing.by_picture(options, found.files, find)
        if named is None
        else [Share(named, found.files)]
    )
    with prepared(options, shares, found.files) as job:
        print(sharing.sentence(shares), flush=True)
        for sentence in found.unreadable:
            print("skipped: %s" % sentence, file=sys.stderr, flush=True)
        job.skipped += found.unreadable
        try:
            job.run(_bar)
        except RunFailed:
            _summarise(job, options, found.passed_over)
            raise
    try:
        return _finish(job, options, found.passed_over)
    except OSError as error:
        folder = printable(options.output_dir)
        full = failures.unwritable(error, folder, "where it stopped")
        if full is None:
            raise
        raise RunFailed(full) from None


@contextlib.contextmanager
def prepared(
    options: PredictOptions, shares: Sequence[Share], files: Sequence[PictureFile]
) -> Iterator[Job]:
    """What upscales the pictures of `shares`, all of `files`; its networks end with the block.

    Args:
      options: what to do.
      shares: the pictures, and the network of each.
      files: all pictures.

    Raises:
      UserError: there is no such scale or output, or the folder for the results cannot be made.
    """
    scales = _scales_of(shares[0].network, options)
    with contextlib.ExitStack() as stack:
        upscalers = [
            stack.enter_context(
                Upscaler(
                    share.network,
                    options.choice,
                    options.tile,
                    options.tile_overlap,
                    options.self_ensemble,
                    scales,
                )
            )
            for share in shares
        ]
        # Last, so that a refusal leaves no empty folder behind.
        file_tools.make_folder(
            options.output_dir, "--output_dir=%s" % printable(options.output_dir)
        )
        yield Job(options, shares, upscalers, scales, files)


def pixels_of_one(options: PredictOptions) -> Optional[int]:
    """Pixels of the results where the input is one picture; None where it is another."""
    if not os.path.isfile(options.input):
        return None
    try:
        height, width = picture_size(options.input, options.max_pixels)
    except UserError:
        return None  # said when its turn comes
    factors = sum(scale**2 for scale in options.scales or SUPPORTED)
    return height * width * factors * (8 if options.self_ensemble else 1)


def _scales_of(network, options: PredictOptions) -> Tuple[int, ...]:
    scales = options.scales or network.scales
    if options.hr_dir and len(scales) > 1:
        raise UserError(
            "--hr_dir holds what one scale should give; choose it with --scales, one of %s"
            % ",".join(str(scale) for scale in scales)
        )
    return tuple(scales)


def _bar(tiles: int) -> Progress:
    return progress(total=tiles, description="Upscaling", unit="tiles")


def _finish(job: Job, options: PredictOptions, passed_over: picture_files.PassedOver) -> int:
    """Writes the metrics, prints the summary, and returns the exit status."""
    figures = job.figures()
    if figures:
        from bsrn_estimator.evaluation import report

        path = report.save(figures, options.output_dir)
        print(report.table(figures))
        print("wrote %s" % printable(path))
    _summarise(job, options, passed_over)
    return 1 if job.skipped else 0


def _summarise(job: Job, options: PredictOptions, passed_over: picture_files.PassedOver) -> None:
    """Prints what was done; the last line names the result, or the folder of several."""
    failed, made = len(job.skipped), len(job.made)
    if failed:
        counted = "1 picture was" if failed == 1 else "%d pictures were" % failed
        print("%s skipped, see above" % counted, file=sys.stderr)
        sys.stderr.flush()
    if str(passed_over):
        print(passed_over)
    parts = ["%d result%s written" % (made, "" if made == 1 else "s")]
    if job.replaced:
        parts.append("%d in place of earlier ones" % len(job.replaced))
    if job.found:
        parts.append("%d were finished before" % len(job.found))
    paths = job.made | job.found
    place = paths.pop() if len(paths) == 1 else options.output_dir
    print("%s: %s" % (", ".join(parts), printable(place)), flush=True)
