"""Mode predict: upscales picture files.

    OUTPUT_DIR/x4/NAME.png                the result
    OUTPUT_DIR/x4_recursion_08/NAME.png   with --output=all, each output of the network
    OUTPUT_DIR/x4_bicubic/NAME.png        with --compare
    OUTPUT_DIR/metrics.json               with --hr_dir

`pictures.names` says what NAME is. Every result carries a record of what it was made of; it is not
made again while that stays the same. Two commands may share an output folder, and the work.
"""

import contextlib
import errno
import os
import sys
from typing import Any, Dict, List, Optional, Sequence, Set, Tuple

import numpy as np

from bsrn_estimator import failures
from bsrn_estimator import files as file_tools
from bsrn_estimator.checkpoints import SHIPPED
from bsrn_estimator.checkpoints.usable import UsableNetwork
from bsrn_estimator.data.manifest import name_of_folder
from bsrn_estimator.errors import RunFailed, UserError, printable
from bsrn_estimator.export import finding
from bsrn_estimator.inference import sharing
from bsrn_estimator.inference.ground_truth import GroundTruth
from bsrn_estimator.inference.options import PredictOptions
from bsrn_estimator.inference.sharing import Find, Share
from bsrn_estimator.inference.targets import BICUBIC, Source, Target, Targets, crc32
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.networks.precision import FLOAT32
from bsrn_estimator.pictures import files as picture_files
from bsrn_estimator.pictures import results
from bsrn_estimator.pictures.decoding import picture_size
from bsrn_estimator.pictures.files import PictureFile
from bsrn_estimator.pictures.picture import (
    enlarged_bands,
    enlarged_rows,
    read_picture,
    to_uint8,
    with_alpha,
)
from bsrn_estimator.progress import progress
from bsrn_estimator.scales import SUPPORTED


def run(options: PredictOptions, find: Optional[Find] = None) -> int:
    """Upscales the pictures; returns 0, or 1 where some were skipped.

    Args:
      options: what to do.
      find: gives the network of options that name one; by default `find_network`.

    Raises:
      UserError: nothing can be done: no picture, no network, no such scale.
      RunFailed: the disk takes no more; what was finished stays.
    """
    find = find or find_network
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
    scales = _scales_of(shares[0].network, options)
    file_tools.make_folder(options.output_dir, "--output_dir=%s" % printable(options.output_dir))
    with contextlib.ExitStack() as stack:
        upscalers = [stack.enter_context(_upscaler(options, s.network, scales)) for s in shares]
        print(sharing.sentence(shares), flush=True)
        job = _Job(options, shares, upscalers, scales, found.files)
        for sentence in found.unreadable:
            job.skip(sentence)
        try:
            job.run()
        except RunFailed:
            job.summarise(found.passed_over)
            raise
    try:
        return job.finish(found.passed_over)
    except OSError as error:
        folder = printable(options.output_dir)
        full = failures.unwritable(error, folder, "where it stopped")
        if full is None:
            raise
        raise RunFailed(full) from None


def find_network(
    options: PredictOptions, session_config: Any = None, precision: str = FLOAT32
) -> UsableNetwork:
    """The network of a checkpoint or of an exported model, run by TensorFlow.

    Args:
      options: what to do.
      session_config: a tf.ConfigProto with the devices and threads to use; None for all.
      precision: in which the network is computed, see `networks.precision`.
    """
    from bsrn_estimator.checkpoints import trained
    from bsrn_estimator.export import exported

    named = options.named
    if named and named not in SHIPPED and finding.is_export(named):
        return exported.ExportedNetwork(named, session_config, precision)
    return trained.find(named, options.given, session_config, precision)


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


def _upscaler(options: PredictOptions, network: UsableNetwork, scales: Sequence[int]) -> Upscaler:
    return Upscaler(
        network,
        options.choice,
        options.tile,
        options.tile_overlap,
        options.self_ensemble,
        scales,
    )


def _scales_of(network, options: PredictOptions) -> Tuple[int, ...]:
    scales = options.scales or network.scales
    if options.hr_dir and len(scales) > 1:
        raise UserError(
            "--hr_dir holds what one scale should give; choose it with --scales, one of %s"
            % ",".join(str(scale) for scale in scales)
        )
    return tuple(scales)


class _MeanwhileFinished(Exception):
    """Another command has made a result that was waited for."""


class _Job:
    """The pictures of one command, one after the other."""

    def __init__(
        self,
        options: PredictOptions,
        shares: Sequence[Share],
        upscalers: Sequence[Upscaler],
        scales: Sequence[int],
        files: Sequence[PictureFile],
    ) -> None:
        self._options, self._scales, self._files = options, scales, files
        self._upscalers: Dict[PictureFile, Upscaler] = {}
        self._targets: Dict[PictureFile, Targets] = {}
        for share, upscaler in zip(shares, upscalers):
            self._upscalers.update(dict.fromkeys(share.files, upscaler))
            targets = Targets(options, files, share.network, upscaler)
            self._targets.update(dict.fromkeys(share.files, targets))
        self._steps = {share.network.step for share in shares}
        self._made: Set[str] = set()
        self._replaced: Set[str] = set()
        self._found: Set[str] = set()
        self._failed = 0
        self._bar: Any = None  # while `run` runs
        self._truth: Optional[GroundTruth] = None
        if options.hr_dir:
            most = scales[0] ** 2 * options.max_pixels
            self._truth = GroundTruth(options.hr_dir, files, scales[0], most)
        shave = options.shave
        self._shaves = {scale: scale if shave is None else shave for scale in scales}
        self._report: Any = None
        if options.hr_dir:
            from bsrn_estimator.evaluation import report  # which needs TensorFlow

            self._report = report.Report(
                name_of_folder(options.hr_dir),
                self._shaves,
                upscalers[0].names[0],
                shares[0].network.precision,
                options.grey,
            )
        self._compared = 0

    def run(self) -> None:
        """Upscales the pictures; those that fail are named and counted.

        What another command is making is left to the end, and waited for there.

        Raises:
          RunFailed: the disk takes no more.
        """
        sizes = {file: self._tiles_of(file) for file in self._files}
        total = sum(sizes.values())
        with progress(total=total, description="Upscaling", unit="tiles") as self._bar:
            waiting = list(self._files)
            for wait in (False, True):
                left, waiting = waiting, []
                for number, file in enumerate(left, 1):
                    note = "picture %d of %d" % (number, len(left))
                    before = self._bar.count
                    self._bar.update(0, note)
                    try:
                        self._attempt(file, wait)
                    except file_tools.Busy:
                        waiting.append(file)
                        continue
                    # What was finished before, or failed half-way, is no longer to be done.
                    rest = sizes[file] - (self._bar.count - before)
                    self._bar.update(max(rest, 0), note)

    def _attempt(self, file: PictureFile, wait: bool) -> None:
        name = printable(file.path)
        try:
            self._picture(file, wait)
        except UserError as error:
            self.skip(str(error))
        except MemoryError:
            self.skip("%s does not fit into the memory" % name)
        except OSError as error:
            folder = printable(self._options.output_dir)
            full = failures.unwritable(error, folder, "where it stopped")
            if full and error.errno != errno.EFBIG:  # which is for one file alone
                raise RunFailed(full) from None
            self.skip("%s: %s" % (name, error))

    def skip(self, sentence: str) -> None:
        """Says that something was left out, and why."""
        self._failed += 1
        if self._bar is None:
            print("skipped: %s" % sentence, file=sys.stderr, flush=True)
        else:
            self._bar.write("skipped: %s" % sentence)

    def finish(self, passed_over: picture_files.PassedOver) -> int:
        """Writes the metrics, prints the summary, and returns the exit status."""
        if self._compared:
            from bsrn_estimator.evaluation import report

            step = max(self._steps) if len(self._steps) == 1 else 0
            content = self._report.to_dict(step or None)
            path = report.save(content, self._options.output_dir)
            print(report.table(content))
            print("wrote %s" % printable(path))
        self.summarise(passed_over)
        return 1 if self._failed else 0

    def summarise(self, passed_over: picture_files.PassedOver) -> None:
        """Prints what was done; the last line names the result, or the folder of several."""
        if self._failed:
            counted = "1 picture was" if self._failed == 1 else "%d pictures were" % self._failed
            print("%s skipped, see above" % counted, file=sys.stderr)
            sys.stderr.flush()
        if str(passed_over):
            print(passed_over)
        made = len(self._made)
        parts = ["%d result%s written" % (made, "" if made == 1 else "s")]
        if self._replaced:
            parts.append("%d in place of earlier ones" % len(self._replaced))
        if self._found:
            parts.append("%d were finished before" % len(self._found))
        paths = self._made | self._found
        place = paths.pop() if len(paths) == 1 else self._options.output_dir
        print("%s: %s" % (", ".join(parts), printable(place)), flush=True)

    def _tiles_of(self, file: PictureFile) -> int:
        try:
            size = picture_size(file.path, self._options.max_pixels)
            tiles = self._upscalers[file].tiles
            return sum(tiles(size[0], size[1], scale) for scale in self._scales)
        except UserError:
            return 0  # said when its turn comes

    def _picture(self, file: PictureFile, wait: bool) -> None:
        size = picture_size(file.path, self._options.max_pixels)
        source, own = Source(file, size, crc32(file.path)), self._targets[file]
        picture = None
        for scale in self._scales:
            # Before anything is computed, for a pair that does not fit is a mistake.
            hr_path = self._truth.path(file, size) if self._truth else None
            targets = own.of(source, scale)
            while True:
                todo = [target for target in targets if not own.is_finished(target)]
                self._found |= {target.path for target in targets if target not in todo}
                self._found -= self._made
                if not todo:
                    break
                if picture is None:
                    picture = self._read(file)
                with contextlib.suppress(_MeanwhileFinished):
                    self._upscale(file, picture, scale, todo, wait)
                    break
            if hr_path:
                self._compare(file, scale, hr_path, targets[0].path)

    def _read(self, file: PictureFile):
        picture = read_picture(
            file.path, self._options.max_pixels, first_frame=self._options.first_frame
        )
        # An alpha channel that hides nothing need not keep a picture from becoming a JPEG.
        if self._options.output_format == "jpeg" and picture.alpha is not None:
            if picture.alpha.min() == np.iinfo(picture.alpha.dtype).max:
                return picture._replace(alpha=None)
        return picture

    def _upscale(
        self, file: PictureFile, picture, scale: int, todo: List[Target], wait: bool
    ) -> None:
        """Writes the results that are to be done of a picture."""
        height, width = (scale * side for side in picture.colours.shape[:2])
        shape = (height, width, picture.colours.shape[2] + (picture.alpha is not None))
        targets = self._targets[file]
        form = targets.form
        form.check(printable(file.path), height, width, picture.alpha is not None)
        with contextlib.ExitStack() as stack:
            writers = {}
            for target in todo:
                os.makedirs(os.path.dirname(target.path), exist_ok=True)
                writer = results.write(
                    target.path, shape, picture.bits, picture.icc_profile, target.record, form, wait
                )
                writers[target.kind] = stack.enter_context(writer)
            if any(targets.is_finished(target) for target in todo):
                raise _MeanwhileFinished
            there = {target.path for target in todo if os.path.lexists(target.path)}
            if BICUBIC in writers:
                _write_bicubic(picture, scale, writers.pop(BICUBIC))
            if writers:
                self._write_outputs(self._upscalers[file], picture, scale, writers)
        self._made |= {target.path for target in todo}
        self._replaced |= there

    def _write_outputs(
        self, upscaler: Upscaler, picture, scale: int, writers: Dict[str, Any]
    ) -> None:
        row = 0
        for bands in upscaler.bands(picture.rgb(), scale, picture.store, self._bar.update):
            end = row + len(bands[0]) // scale
            for name, band in zip(upscaler.names, bands):
                if name in writers:
                    writers[name].write(with_alpha(band, picture, scale, row, end))
            row = end

    def _compare(self, file: PictureFile, scale: int, hr_path: str, path: str) -> None:
        """Adds the figures of one finished result to the report."""
        from bsrn_estimator.evaluation import metrics

        most = scale**2 * self._options.max_pixels
        hr, result, lr = (_visible(name, most) for name in (hr_path, path, file.path))
        bicubic = enlarged_rows(lr, scale, 0, len(lr))
        shave, grey = self._shaves[scale], self._options.grey
        figures = metrics.compare(hr, result, shave, grey)
        for key, value in metrics.compare(hr, bicubic, shave, grey).items():
            figures["bicubic_" + key] = value
        self._report.add(file.relative, {scale: {self._upscalers[file].names[0]: figures}})
        self._compared += 1


def _visible(path: str, max_pixels: int):
    """What is seen of a picture, uint8 [height, width, 1 or 3], as its file has it."""
    picture = read_picture(path, max_pixels, first_frame=True)
    return to_uint8(picture.rgb())[..., : picture.colours.shape[2]]


def _write_bicubic(picture, scale: int, writer) -> None:
    row = 0
    for band in enlarged_bands(picture.colours, scale):
        end = row + len(band) // scale
        writer.write(with_alpha(band, picture, scale, row, end))
        row = end
