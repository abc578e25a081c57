"""Files into files, for programs: what predict does, without its words."""

import contextlib
import os
from typing import Any, Callable, Iterator, List, NamedTuple, Optional, Sequence, Union

from bsrn_estimator.errors import UserError
from bsrn_estimator.inference import predict, sharing
from bsrn_estimator.inference.options import PredictOptions
from bsrn_estimator.inference.sharing import Find, Share
from bsrn_estimator.pictures import files as picture_files
from bsrn_estimator.pictures.files import Found, PassedOver, PictureFile

Path = Union[str, "os.PathLike[str]"]
Progress = Optional[Callable[[int, int], Any]]


class Files(NamedTuple):
    """What became of picture files.

    Attributes:
      written: paths of the results that were made, sorted.
      found: paths of results that were there and whole, sorted.
      skipped: a sentence for each picture that was left out, which names it and says why.
    """

    written: List[str]
    found: List[str]
    skipped: List[str]


def found_files(paths: Union[Path, Sequence[Path]], options: PredictOptions) -> Found:
    """The pictures that are meant: what --input may be, or several files.

    Raises:
      UserError: there are none, or one is not there.
    """
    if isinstance(paths, (str, os.PathLike)):
        pattern = os.fspath(paths)
        return picture_files.find(
            pattern, options.output_dir, options.follow_links, options.from_results
        )
    named = list(dict.fromkeys(os.path.abspath(os.fspath(path)) for path in paths))
    if not named:
        raise UserError("there is no picture to upscale; give one path or several")
    for path in named:
        if not os.path.lexists(path) or os.path.isdir(path):
            raise UserError("%s is not a file; in a list, give the pictures themselves" % path)
    shared = os.path.commonpath([os.path.dirname(path) for path in named])
    files = [PictureFile(path, os.path.relpath(path, shared)) for path in named]
    return Found(files, [], PassedOver())


def write(options: PredictOptions, found: Found, find: Find, progress: Progress) -> Files:
    """Upscales files; see `Upscaler.upscale_files`.

    Args:
      options: how.
      found: the pictures.
      find: gives the network of options that name one.
      progress: called with the tiles that are done, and with how many there are.
    """
    shares = (
        sharing.by_picture(options, found.files, find)
        if sharing.is_open(options)
        else [Share(find(options), found.files)]
    )
    with predict.prepared(options, shares, found.files) as job:
        job.skipped += found.unreadable
        job.run(lambda tiles: _counted(tiles, progress))
    return Files(sorted(job.made), sorted(job.found - job.made), job.skipped)


@contextlib.contextmanager
def _counted(tiles: int, progress: Progress) -> Iterator["_Count"]:
    yield _Count(tiles, progress)


class _Count:
    """In the place of a bar: counts, and says nothing."""

    def __init__(self, tiles: int, progress: Progress) -> None:
        self.count, self._tiles, self._progress = 0, tiles, progress

    def update(self, count: int = 1, note: str = "") -> None:
        """Adds finished tiles."""
        self.count += count
        if count and self._progress is not None:
            self._progress(self.count, self._tiles)

    def write(self, line: str) -> None:
        """Takes what `Files.skipped` has too."""
