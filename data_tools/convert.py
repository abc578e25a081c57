"""The conversion: find, check, encode in parallel, write in order, describe."""

import contextlib
import dataclasses
import errno
import functools
import os
import signal
import time
from typing import Generator, Iterator, List, Optional, Tuple

from bsrn_estimator.data.manifest import FILE_NAME as MANIFEST_NAME
from bsrn_estimator.data.manifest import FORMAT_VERSION, Manifest, name_of_folder
from bsrn_estimator.errors import UserError, printable
from bsrn_estimator.progress import duration, progress
from data_tools import output as output_module
from data_tools.encoding import Bad, encode_picture
from data_tools.headers import Checked, check
from data_tools.options import ConversionOptions
from data_tools.output import Output
from data_tools.shards import shard_numbers
from data_tools.sources import SourcePicture, find_pictures
from data_tools.workers import WorkerDied, ordered

# What the bytes of the output depend on, besides the pictures.
_SETTINGS = (
    "dataset",
    "split",
    "kind",
    "scales",
    "encoding",
    "tile_size",
    "patch_size",
    "degrade",
    "stretch",
)

_SKIP_WAY = "--skip_bad leaves such pictures out"


class Stopped(Exception):
    """The conversion was told to stop by signal `number`; finished shards are kept."""

    def __init__(self, number: int, message: str) -> None:
        self.number = number
        super().__init__(message)


@dataclasses.dataclass(frozen=True)
class Result:
    """What a conversion did.

    Attributes:
      folder: the output folder.
      manifest: what is in it now.
      seconds: how long it took; None where everything was there already.
      skipped: name of each picture left out, and why.
      passed_over: a line that counts what was not taken for a picture; "" for nothing.
    """

    folder: str
    manifest: Manifest
    seconds: Optional[float]
    skipped: Tuple[Tuple[str, str], ...] = ()
    passed_over: str = ""

    def summary(self) -> str:
        """One line for the user."""
        manifest = self.manifest
        degraded = ", LR degraded by " + manifest.degrade if manifest.degrade else ""
        if manifest.stretch:
            degraded += ", contrast stretched: " + manifest.stretch
        held = "%d %s of %d pictures, %s, %s in %d shard%s" % (
            manifest.records,
            "tiles" if manifest.kind == "training" else "records",
            manifest.pictures,
            "scales " + ",".join(str(scale) for scale in manifest.scales) + degraded,
            size_in_words(manifest.bytes),
            len(manifest.shards),
            "" if len(manifest.shards) == 1 else "s",
        )
        folder = printable(self.folder)
        if self.seconds is None:
            return "%s is whole already: %s; --overwrite converts it again" % (folder, held)
        return "%s: %s, %d skipped, in %s" % (
            folder,
            held,
            manifest.skipped,
            duration(self.seconds),
        )


def convert(options: ConversionOptions) -> Result:
    """Converts as `options` say, which must be complete.

    Returns:
      What was done. Where the same output is there already, nothing is.

    Raises:
      UserError: something is wrong with the input, or with the output folder; nothing that looks
        whole is left, and what was there before is untouched.
      Stopped: SIGINT or SIGTERM arrived.
    """
    begin = time.monotonic()
    existing = _existing(options)
    if existing is not None:
        return Result(options.output_dir, existing, None)
    found = find_pictures(options)
    checked = check(found, options)
    pictures, problems = checked.pictures, checked.problems
    if not pictures:
        raise UserError("no picture is left to convert: " + _refusal(problems, _patch_way(checked)))
    if problems and not options.skip_bad:
        raise UserError(_refusal(problems, _patch_way(checked), _SKIP_WAY))
    with _disk_errors_are_said(options.output_dir), _stop_requests() as stop:
        with Output(options.output_dir, options.split, _settings(options)) as output:
            output.resume(pictures)
            _write_shards(output, checked, options, stop)
            skipped = problems + [bad for entry in output.entries for bad in entry.skipped]
            manifest = output.publish(_manifest(options, pictures, output, len(skipped)))
    seconds = time.monotonic() - begin
    passed_over = str(found.passed_over)
    return Result(options.output_dir, manifest, seconds, tuple(skipped), passed_over)


def _existing(options: ConversionOptions) -> Optional[Manifest]:
    """The manifest of finished output that is the same as what is asked for; None to go on."""
    folder = options.output_dir
    if options.overwrite or not os.path.isdir(folder):
        return None
    if not os.path.exists(os.path.join(folder, MANIFEST_NAME)):
        journal = os.path.join(folder, output_module.JOURNAL)
        if output_module.shards_in(folder) and not os.path.exists(journal):
            raise UserError(
                "%s holds TFRecords without a manifest; name another --output_dir, or give "
                "--overwrite to replace them" % printable(folder)
            )
        return None
    manifest = Manifest.load(folder)
    named = dataclasses.replace(manifest, name=manifest.name_in(folder))
    for name in _SETTINGS + (("name",) if options.name else ()):
        there, asked = getattr(named, name), getattr(options, name)
        if there != asked:
            raise UserError(
                "%s holds data converted with --%s=%s, not %s; name another --output_dir, or give "
                "--overwrite to replace it" % (printable(folder), name, _text(there), _text(asked))
            )
    return manifest


def _write_shards(
    output: Output, checked: Checked, options: ConversionOptions, stop: List[int]
) -> None:
    """Encodes the pictures that no whole shard covers, and writes them shard by shard."""
    pictures, numbers = checked.pictures, shard_numbers(checked.sizes, options)
    done = output.pictures_done
    function = functools.partial(encode_picture, options=options)
    encoded = ordered(function, pictures[done:], options.workers)
    results = _until_told(stop, encoded, output, len(pictures))
    skipped: List[Tuple[str, str]] = []
    number = 0
    with contextlib.closing(results), progress(
        None, len(pictures), "Converting", "pictures", initial=done
    ) as bar:
        for end, result in enumerate(results, done):
            picture = pictures[end]
            if isinstance(result, Bad):
                if not options.skip_bad:
                    raise UserError(_refusal([(picture.name, result.problem)], _SKIP_WAY))
                skipped.append((picture.name, result.problem))
            else:
                # Not before there is something for the next one, so that no shard is empty.
                if output.open_shard().records and numbers[end] > number:
                    output.close_shard(pictures, end, skipped)
                    skipped = []
                number = numbers[end]
                output.write(result.frames, result.records, result.size)
            bar.update()
    if output.open_shard().records:
        output.close_shard(pictures, len(pictures), skipped)
    elif not output.entries:
        raise UserError("no picture is left to convert: " + _refusal(skipped))


def _until_told(stop: List[int], results: Generator, output: Output, total: int) -> Generator:
    """The results; raises Stopped at the first one after `stop` has got an entry."""
    with contextlib.closing(results):
        try:
            for result in results:
                if stop:
                    break
                yield result
            else:
                return
        except WorkerDied:
            # A signal to the whole group, as cluster managers send it, ends the workers too.
            if not stop:
                raise
    raise Stopped(
        stop[0],
        "stopped: %d of %d pictures are converted; the same command again continues"
        % (output.pictures_done, total),
    )


def _manifest(
    options: ConversionOptions, pictures: List[SourcePicture], output: Output, skipped: int
) -> Manifest:
    bad = sum(len(entry.skipped) for entry in output.entries)
    return Manifest(
        format_version=FORMAT_VERSION,
        dataset=options.dataset,
        split=options.split,
        kind=options.kind,
        scales=options.scales,
        encoding=options.encoding,
        tile_size=options.tile_size,
        overlap=options.overlap,
        pictures=len(pictures) - bad,
        records=sum(entry.records for entry in output.entries),
        skipped=skipped,
        shards=(),
        patch_size=options.patch_size,
        degrade=options.degrade,
        stretch=options.stretch,
        name=options.name or name_of_folder(options.output_dir),
    )


def _settings(options: ConversionOptions) -> dict:
    settings = {name: getattr(options, name) for name in _SETTINGS + ("shard_bytes",)}
    return dict(settings, scales=list(options.scales), format_version=FORMAT_VERSION)


def _refusal(problems: List[Tuple[str, str]], *ways: str) -> str:
    """The first problem, how many there are, and the ways round them that lead somewhere."""
    more = len(problems) - 1
    others = " (and %d more)" % more if more else ""
    return "; ".join([problems[0][1] + others] + [way for way in ways if way])


def _patch_way(checked: Checked) -> str:
    if not checked.fitting_patch:
        return ""
    patch = checked.fitting_patch
    return "--patch_size=%d, here and in training, takes the small ones too" % patch


def _text(value) -> str:
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text or "nothing"


@contextlib.contextmanager
def _disk_errors_are_said(folder: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise UserError(
                "%s cannot be written (%s); nothing there looks whole that is not: make room and "
                "give the same command again, it continues behind the last whole shard"
                % (printable(folder), error.strerror)
            ) from None
        place = printable(str(error.filename or folder))
        raise UserError("the conversion failed: %s: %s" % (place, error.strerror)) from None


@contextlib.contextmanager
def _stop_requests() -> Iterator[List[int]]:
    """A list that gets the number of the first SIGINT or SIGTERM; a second one ends at once."""
    received: List[int] = []
    numbers = (signal.SIGINT, signal.SIGTERM)

    def handle(number, frame):
        received.append(number)
        for each in numbers:
            signal.signal(each, signal.SIG_DFL)

    try:
        before = [signal.signal(number, handle) for number in numbers]
    except ValueError:  # not in the main thread, where signals do not arrive
        yield received
        return
    try:
        yield received
    finally:
        for number, handler in zip(numbers, before):
            signal.signal(number, handler)


def size_in_words(count: int) -> str:
    """`count` bytes as 812 bytes, 3.1 MB, 9.8 GB."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return "%.1f %s" % (count / size, unit)
    return "%d bytes" % count
