"""The conversion: find, check, encode in parallel, write in order, describe."""

import contextlib
import dataclasses
import errno
import time
from typing import Callable, Iterator, List, Optional, Tuple

from bsrn_estimator.data.manifest import FILE_NAME as MANIFEST_NAME
from bsrn_estimator.data.manifest import FORMAT_VERSION, Manifest, name_of_folder
from bsrn_estimator.errors import UserError, printable
from bsrn_estimator.progress import duration
from data_tools import here
from data_tools.headers import Checked, check
from data_tools.options import ConversionOptions
from data_tools.output import JOURNAL, Output, load_manifest, shards_in
from data_tools.places import storage_of
from data_tools.refusals import SKIP_WAY, refusal
from data_tools.shards import shard_spans
from data_tools.sources import find_pictures
from data_tools.stopping import stop_requests

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
    write = _writer_of(options)
    with _disk_errors_are_said(options.output_dir):
        existing = _existing(options)
        if existing is not None:
            return Result(options.output_dir, existing, None)
        found = find_pictures(options)
        checked = check(found, options)
        pictures, problems = checked.pictures, checked.problems
        if not pictures:
            raise UserError(
                "no picture is left to convert: " + refusal(problems, _patch_way(checked))
            )
        if problems and not options.skip_bad:
            raise UserError(refusal(problems, _patch_way(checked), SKIP_WAY))
        groups = [pictures[slice(*span)] for span in shard_spans(checked.sizes, options)]
        with stop_requests() as stop, Output(
            options.output_dir, options.split, _settings(options)
        ) as output:
            output.resume(groups)
            write(output, groups, options, stop)
            bad = _settle(output, options)
            skipped = problems + bad
            counts = len(pictures) - len(bad), len(skipped)
            manifest = output.publish(_manifest(options, output, *counts))
    seconds = time.monotonic() - begin
    passed_over = str(found.passed_over)
    return Result(options.output_dir, manifest, seconds, tuple(skipped), passed_over)


def _existing(options: ConversionOptions) -> Optional[Manifest]:
    """The manifest of finished output that is the same as what is asked for; None to go on."""
    folder = options.output_dir
    if options.overwrite:
        return None
    storage = storage_of(folder)
    if not storage.exists(MANIFEST_NAME):
        if shards_in(folder) and not storage.exists(JOURNAL):
            raise UserError(
                "%s holds TFRecords without a manifest; name another --output_dir, or give "
                "--overwrite to replace them" % printable(folder)
            )
        return None
    manifest = load_manifest(folder)
    named = dataclasses.replace(manifest, name=manifest.name_in(folder))
    for name in _SETTINGS + (("name",) if options.name else ()):
        there, asked = getattr(named, name), getattr(options, name)
        if there != asked:
            raise UserError(
                "%s holds data converted with --%s=%s, not %s; name another --output_dir, or give "
                "--overwrite to replace it" % (printable(folder), name, _text(there), _text(asked))
            )
    return manifest


def _writer_of(options: ConversionOptions) -> Callable:
    """What writes the shards that are missing, made ready."""
    if options.runner is None:
        return here.write
    from data_tools import on_beam  # which takes two seconds to import

    on_beam.prepare(options)
    return on_beam.write


def _settle(output: Output, options: ConversionOptions) -> List[Tuple[str, str]]:
    """The bad pictures that are left out of the whole shards.

    Raises:
      UserError: there are some that are not to be left out, or nothing else.
    """
    entries = [entry for _, entry in sorted(output.entries.items())]
    skipped = [bad for entry in entries for bad in entry.skipped]
    if not any(entry.records for entry in entries):
        raise UserError("no picture is left to convert: " + refusal(skipped))
    if skipped and not options.skip_bad:
        raise UserError(refusal(skipped, SKIP_WAY))
    return skipped


def _manifest(options: ConversionOptions, output: Output, pictures: int, skipped: int) -> Manifest:
    return Manifest(
        format_version=FORMAT_VERSION,
        dataset=options.dataset,
        split=options.split,
        kind=options.kind,
        scales=options.scales,
        encoding=options.encoding,
        tile_size=options.tile_size,
        overlap=options.overlap,
        pictures=pictures,
        records=sum(entry.records for entry in output.entries.values()),
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


def size_in_words(count: int) -> str:
    """`count` bytes as 812 bytes, 3.1 MB, 9.8 GB."""
    for unit, size in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= size:
            return "%.1f %s" % (count / size, unit)
    return "%d bytes" % count
