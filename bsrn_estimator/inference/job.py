"""The work of mode predict: picture files upscaled into files, one after the other."""

import contextlib
import errno
import os
from typing import Any, Callable, ContextManager, Dict, List, Optional, Sequence, Set

import numpy as np

from bsrn_estimator import failures
from bsrn_estimator import files as file_tools
from bsrn_estimator.data.manifest import name_of_folder
from bsrn_estimator.errors import RunFailed, UserError, printable
from bsrn_estimator.inference.ground_truth import GroundTruth
from bsrn_estimator.inference.options import PredictOptions
from bsrn_estimator.inference.sharing import Share
from bsrn_estimator.inference.targets import BICUBIC, Source, Target, Targets, crc32
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.pictures import results
from bsrn_estimator.pictures.decoding import picture_size
from bsrn_estimator.pictures.files import PictureFile
from bsrn_estimator.pictures.picture import (
    Picture,
    enlarged_bands,
    enlarged_rows,
    read_picture,
    to_uint8,
    with_alpha,
)


class _MeanwhileFinished(Exception):
    """Another command has made a result that was waited for."""


class Job:
    """The pictures of one command, one after the other.

    Args:
      options: what to do.
      shares: the pictures, and what upscales them.
      upscalers: the upscaler of each share.
      scales: those wanted.
      files: all pictures, in the order in which they are taken.

    Attributes:
      made: the results that were written.
      replaced: those of them that take the place of earlier ones.
      found: results that were there.
      skipped: a sentence for everything that was left out.
    """

    def __init__(
        self,
        options: PredictOptions,
        shares: Sequence[Share],
        upscalers: Sequence[Upscaler],
        scales: Sequence[int],
        files: Sequence[PictureFile],
    ) -> None:
        self._options, self._scales, self._files = options, scales, files
        self._bar: Any = None  # while `run` runs
        self._upscalers: Dict[PictureFile, Upscaler] = {}
        self._targets: Dict[PictureFile, Targets] = {}
        for share, upscaler in zip(shares, upscalers):
            self._upscalers.update(dict.fromkeys(share.files, upscaler))
            targets = Targets(options, files, share.network, upscaler)
            self._targets.update(dict.fromkeys(share.files, targets))
        self._steps = {share.network.step for share in shares}
        self.made: Set[str] = set()
        self.replaced: Set[str] = set()
        self.found: Set[str] = set()
        self.skipped: List[str] = []
        self._truth: Optional[GroundTruth] = None
        if options.hr_dir:
            most = scales[0] ** 2 * options.max_pixels
            self._truth = GroundTruth(options.hr_dir, files, scales[0], most)
        shave = options.shave
        self._shaves = {scale: scale if shave is None else shave for scale in scales}
        self._report: Any = None
        if options.hr_dir:
            from bsrn_estimator.evaluation import report  # which no other run needs

            self._report = report.Report(
                name_of_folder(options.hr_dir),
                self._shaves,
                upscalers[0].names[0],
                shares[0].network.precision,
                options.grey,
            )
        self._compared = 0

    def run(self, bar_of: Callable[[int], ContextManager[Any]]) -> None:
        """Upscales the pictures; those that fail are named and counted.

        What another command is making is left to the end, and waited for there.

        Args:
          bar_of: from the number of tiles to what is told of them: a `progress.Progress`, or like
            it.

        Raises:
          RunFailed: the disk takes no more.
        """
        sizes = {file: self._tiles_of(file) for file in self._files}
        with bar_of(sum(sizes.values())) as self._bar:
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
            self._skip(str(error))
        except MemoryError:
            self._skip("%s does not fit into the memory" % name)
        except OSError as error:
            folder = printable(self._options.output_dir)
            full = failures.unwritable(error, folder, "where it stopped")
            if full and error.errno != errno.EFBIG:  # which is for one file alone
                raise RunFailed(full) from None
            self._skip("%s: %s" % (name, error))

    def _skip(self, sentence: str) -> None:
        self.skipped.append(sentence)
        self._bar.write("skipped: %s" % sentence)

    def figures(self) -> Optional[Dict[str, Any]]:
        """What metrics.json holds; None where nothing was compared."""
        if not self._compared:
            return None
        step = max(self._steps) if len(self._steps) == 1 else 0
        return self._report.to_dict(step or None)

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
                self.found |= {target.path for target in targets if target not in todo}
                self.found -= self.made
                if not todo:
                    break
                if picture is None:
                    picture = self._read(file)
                with contextlib.suppress(_MeanwhileFinished):
                    self._upscale(file, picture, scale, todo, wait)
                    break
            if hr_path:
                self._compare(file, scale, hr_path, targets[0].path)

    def _read(self, file: PictureFile) -> Picture:
        picture = read_picture(
            file.path, self._options.max_pixels, first_frame=self._options.first_frame
        )
        # An alpha channel that hides nothing need not keep a picture from becoming a JPEG.
        if self._options.output_format == "jpeg" and picture.alpha is not None:
            if picture.alpha.min() == np.iinfo(picture.alpha.dtype).max:
                return picture._replace(alpha=None)
        return picture

    def _upscale(
        self, file: PictureFile, picture: Picture, scale: int, todo: List[Target], wait: bool
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
        self.made |= {target.path for target in todo}
        self.replaced |= there

    def _write_outputs(
        self, upscaler: Upscaler, picture: Picture, scale: int, writers: Dict[str, Any]
    ) -> None:
        for bands in upscaler.stored_bands(picture, scale, self._bar.update):
            for name, band in zip(upscaler.names, bands):
                if name in writers:
                    writers[name].write(band)

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


def _visible(path: str, max_pixels: int) -> np.ndarray:
    """What is seen of a picture, uint8 [height, width, 1 or 3], as its file has it."""
    picture = read_picture(path, max_pixels, first_frame=True)
    return to_uint8(picture.rgb())[..., : picture.colours.shape[2]]


def _write_bicubic(picture: Picture, scale: int, writer: Any) -> None:
    row = 0
    for band in enlarged_bands(picture.colours, scale):
        end = row + len(band) // scale
        writer.write(with_alpha(band, picture, scale, row, end))
        row = end
