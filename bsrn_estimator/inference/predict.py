"""Mode predict: upscales picture files.

    OUTPUT_DIR/x4/NAME.png                the result
    OUTPUT_DIR/x4_recursion_08/NAME.png   with --output=all, each output of the network
    OUTPUT_DIR/x4_bicubic/NAME.png        with --compare
    OUTPUT_DIR/metrics.json               with --hr_dir

`picture_files.PictureFile.result` says what NAME is. Every result carries a text that says what it
was made of; it is not made again while that stays the same.
"""

import contextlib
import json
import os
import sys
import zlib
from typing import Any, Dict, List, Tuple

from bsrn_estimator import files as file_tools
from bsrn_estimator.checkpoints import PRETRAINED, trained
from bsrn_estimator.checkpoints.trained import UsableNetwork
from bsrn_estimator.errors import UserError, printable
from bsrn_estimator.evaluation import metrics, report
from bsrn_estimator.export import exported
from bsrn_estimator.inference.options import PredictOptions
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.networks.precision import FLOAT32
from bsrn_estimator.pictures import files as picture_files
from bsrn_estimator.pictures.decoding import picture_size, read_rgb
from bsrn_estimator.pictures.files import PictureFile
from bsrn_estimator.pictures.picture import enlarged_bands, enlarged_rows, read_picture, with_alpha
from bsrn_estimator.pictures.png import PngWriter, text_of
from bsrn_estimator.progress import progress

RECORD_KEY = "bsrn_estimator"
BICUBIC = "bicubic"


def run(options: PredictOptions, session_config: Any = None, precision: str = FLOAT32) -> int:
    """Upscales the pictures; returns 0, or 1 where some were skipped.

    Args:
      options: what to do.
      session_config: a tf.ConfigProto with the devices and threads to use; None for all.
      precision: in which the network is computed, see `networks.precision`.

    Raises:
      UserError: nothing can be done: no picture, no network, no such scale.
    """
    network = find_network(options, session_config, precision)
    scales = _scales_of(network, options)
    files = picture_files.find(options.input, options.output_dir)
    file_tools.make_folder(options.output_dir, "--output_dir=%s" % printable(options.output_dir))
    upscaler = Upscaler(
        network,
        options.choice,
        options.tile,
        options.tile_overlap,
        options.self_ensemble,
        scales,
    )
    print("network: %s, computed in %s" % (network.name, network.precision), flush=True)
    with upscaler:
        job = _Job(options, network, upscaler, scales)
        job.run(files)
    return job.finish()


def find_network(
    options: PredictOptions, session_config: Any = None, precision: str = FLOAT32
) -> UsableNetwork:
    """The network of a checkpoint or of an exported model."""
    named = options.checkpoint
    if named and named != PRETRAINED and exported.is_export(named):
        return exported.ExportedNetwork(named, session_config, precision)
    return trained.find(named, options.model_dir, options.given, session_config, precision)


def _scales_of(network, options: PredictOptions) -> Tuple[int, ...]:
    scales = options.scales or network.scales
    if options.hr_dir and len(scales) > 1:
        raise UserError(
            "--hr_dir holds what one scale should give; choose it with --scales, one of %s"
            % ",".join(str(scale) for scale in scales)
        )
    return tuple(scales)


class _Job:
    """The pictures of one command, one after the other."""

    def __init__(self, options, network: UsableNetwork, upscaler: Upscaler, scales) -> None:
        self._options, self._upscaler, self._scales = options, upscaler, scales
        self._identity, self._step = network.identity(), network.step
        self._precision = network.precision
        self._made = self._found = 0
        self._failed: List[str] = []
        self._bar: Any = None  # while `run` runs
        shave = options.shave
        shaves = {scale: scale if shave is None else shave for scale in scales}
        self._shaves = shaves
        result = upscaler.names[0]
        data_set = os.path.basename(options.hr_dir or "")
        self._report = report.Report(data_set, shaves, result, network.precision)
        self._compared = 0

    def run(self, files: List[PictureFile]) -> None:
        """Upscales `files`; those that fail are named and counted."""
        sizes = [self._tiles_of(file) for file in files]
        with progress(total=sum(sizes), description="Upscaling", unit="tiles") as self._bar:
            for number, (file, tiles) in enumerate(zip(files, sizes), 1):
                note = "picture %d of %d" % (number, len(files))
                before = self._bar.count
                try:
                    self._bar.update(0, note)
                    self._picture(file)
                except UserError as error:
                    self._failed.append(file.path)
                    self._bar.write("skipped: %s" % error)
                except OSError as error:
                    self._failed.append(file.path)
                    self._bar.write("skipped: %s: %s" % (printable(file.path), error))
                # What was finished before, or failed half-way, is no longer to be done.
                self._bar.update(max(tiles - (self._bar.count - before), 0), note)

    def finish(self) -> int:
        """Writes the metrics, prints the summary, and returns the exit status."""
        if self._compared:
            content = self._report.to_dict(self._step)
            path = report.save(content, self._options.output_dir)
            print(report.table(content))
            print("wrote %s" % printable(path))
        parts = ["%d result%s written" % (self._made, "" if self._made == 1 else "s")]
        if self._found:
            parts.append("%d were finished before" % self._found)
        folder = printable(self._options.output_dir)
        print("%s to %s" % (", ".join(parts), folder), flush=True)
        if self._failed:
            print("%d of the pictures were skipped, see above" % len(self._failed), file=sys.stderr)
        return 1 if self._failed else 0

    def _tiles_of(self, file: PictureFile) -> int:
        try:
            size = picture_size(file.path, self._options.max_pixels)
            return sum(self._upscaler.tiles(size[0], size[1], scale) for scale in self._scales)
        except UserError:
            return 0  # said when its turn comes

    def _picture(self, file: PictureFile) -> None:
        record = self._record_of(file)
        picture = None
        for scale in self._scales:
            targets = self._targets(file, scale)
            texts = {path: json.dumps(dict(record, scale=scale, kind=k)) for k, path in targets}
            todo = [(kind, path) for kind, path in targets if not self._is_finished(path, texts)]
            self._found += len(targets) - len(todo)
            if todo and picture is None:
                picture = read_picture(file.path, self._options.max_pixels)
            if todo:
                self._upscale(picture, scale, dict(todo), texts)
                self._made += len(todo)
            if self._options.hr_dir:
                self._compare(file, scale, dict(targets)[self._upscaler.names[0]])

    def _record_of(self, file: PictureFile) -> Dict:
        """What decides the result, but for the scale."""
        return {
            "network": self._identity,
            "precision": self._precision,
            "output": self._options.output,
            "first_output": self._options.first_output,
            "self_ensemble": self._options.self_ensemble,
            "source_crc32": _crc32(file.path),
        }

    def _targets(self, file: PictureFile, scale: int) -> List[Tuple[str, str]]:
        """(kind, path) of every file that is to be written for one picture and scale."""
        names = list(self._upscaler.names) + [BICUBIC] * self._options.compare
        folders = ["x%d" % scale] + ["x%d_%s" % (scale, name) for name in names[1:]]
        root = self._options.output_dir
        return [
            (name, os.path.join(root, folder, file.result)) for name, folder in zip(names, folders)
        ]

    def _is_finished(self, path: str, texts: Dict[str, str]) -> bool:
        if self._options.overwrite or not os.path.lexists(path):
            return False
        text = text_of(path, RECORD_KEY)
        if text is None:
            raise UserError(
                "%s exists and was not made by this command; move it, add --overwrite, or name "
                "another --output_dir" % printable(path)
            )
        return text == texts[path]

    def _upscale(self, picture, scale: int, todo: Dict[str, str], texts) -> None:
        """Writes the results that are to be done."""
        height, width = (scale * side for side in picture.colours.shape[:2])
        channels = picture.colours.shape[2] + (picture.alpha is not None)
        with contextlib.ExitStack() as stack:
            writers = {}
            for kind, path in todo.items():
                os.makedirs(os.path.dirname(path), exist_ok=True)
                text = {RECORD_KEY: texts[path]}
                writer = PngWriter(
                    path, (height, width, channels), picture.bits, picture.icc_profile, text
                )
                writers[kind] = stack.enter_context(writer)
            if BICUBIC in writers:
                _write_bicubic(picture, scale, writers.pop(BICUBIC))
            if writers:
                self._write_outputs(picture, scale, writers)

    def _write_outputs(self, picture, scale: int, writers: Dict[str, PngWriter]) -> None:
        row = 0
        for bands in self._upscaler.bands(picture.rgb(), scale, picture.store, self._bar.update):
            end = row + len(bands[0]) // scale
            for name, band in zip(self._upscaler.names, bands):
                if name in writers:
                    writers[name].write(with_alpha(band, picture, scale, row, end))
            row = end

    def _compare(self, file: PictureFile, scale: int, path: str) -> None:
        """Adds the figures of one finished result to the report."""
        hr_path = picture_files.ground_truth(file, self._options.hr_dir, scale)
        name = printable(file.relative)
        if hr_path is None:
            raise UserError("%s has no HR picture in --hr_dir" % name)
        hr, result = read_rgb(hr_path), read_rgb(path)
        if any(large < small for large, small in zip(hr.shape, result.shape)):
            raise UserError("%s is smaller than the result for %s at x%d" % (hr_path, name, scale))
        bicubic = enlarged_rows(read_rgb(file.path), scale, 0, result.shape[0] // scale)
        shave = self._shaves[scale]
        figures = metrics.compare(hr, result, shave)
        for key, value in metrics.compare(hr, bicubic, shave).items():
            figures["bicubic_" + key] = value
        self._report.add(file.relative, {scale: {self._upscaler.names[0]: figures}})
        self._compared += 1


def _write_bicubic(picture, scale: int, writer: PngWriter) -> None:
    row = 0
    for band in enlarged_bands(picture.colours, scale):
        end = row + len(band) // scale
        writer.write(with_alpha(band, picture, scale, row, end))
        row = end


def _crc32(path: str) -> int:
    """CRC of a file's content; 0 where it cannot be read, which is said when it is decoded."""
    value = 0
    try:
        if not os.path.isfile(path):
            return value
        with open(path, "rb") as file:
            for block in iter(lambda: file.read(2**20), b""):
                value = zlib.crc32(block, value)
    except OSError:
        return 0
    return value & 0xFFFFFFFF
