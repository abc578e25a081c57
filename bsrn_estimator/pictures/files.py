"""Which files are pictures, and which are meant: one walk and one rule for all that read pictures.

A picture in a folder is a file with the ending of one. Hidden files and folders, the folders that
systems keep beside pictures, and what predict has written are passed over, and everything that is
passed over is counted by its reason. A file that is named itself is taken whatever it is called.
"""

import glob
import os
import re
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Set, Tuple

from bsrn_estimator.errors import UserError, install_command, printable
from bsrn_estimator.pictures import decoding, results

_WILDCARD = re.compile(r"[*?[]")
# Of macOS, Synology and Windows: thumbnails, halves of files, what was deleted.
_SYSTEM_FOLDERS = {"__MACOSX", "@eaDir", "#recycle", "$RECYCLE.BIN", "System Volume Information"}

# Reasons for `PassedOver`; {s} is for more than one.
_HIDDEN = "hidden or of the system"
LINKED = "linked folder{s} (--follow_links looks into what lies outside)"
_RESULTS = "result{s} of predict"
_OUTPUT = "in --output_dir"
_FOLDERS = "folder{s} that the pattern names (** looks into folders)"
_NO_PICTURE = "with another ending"
_ENDINGS_SHOWN = 6


class PictureFile(NamedTuple):
    """A picture to read.

    Attributes:
      path: the file.
      relative: its path below the folder that --input names, or the part of a pattern that stands
        before the first wildcard.
    """

    path: str
    relative: str


class PassedOver:
    """What a search has not taken: how many files and folders, by reason."""

    def __init__(self) -> None:
        self._counts: Dict[str, int] = {}
        self._endings: Set[str] = set()

    def add(self, reason: str, ending: str = "") -> None:
        """Counts one."""
        self._counts[reason] = self._counts.get(reason, 0) + 1
        self._endings |= {ending} if ending else set()

    def update(self, other: "PassedOver") -> None:
        """Counts what another search has counted."""
        for reason, count in other._counts.items():
            self._counts[reason] = self._counts.get(reason, 0) + count
        self._endings |= other._endings

    @property
    def results(self) -> int:
        """How many results of predict there were."""
        return self._counts.get(_RESULTS, 0)

    def __str__(self) -> str:
        """One line, empty where nothing was passed over."""
        parts = []
        for reason, count in self._counts.items():
            shown = sorted(self._endings)[:_ENDINGS_SHOWN] if reason == _NO_PICTURE else []
            more = ", ..." if shown and len(self._endings) > len(shown) else ""
            detail = " (%s%s)" % (", ".join(shown), more) if shown else ""
            words = reason.replace("{s}", "s" if count > 1 else "")
            parts.append("%d %s%s" % (count, words, detail))
        return "passed over: %s" % ", ".join(parts) if parts else ""


class Listing(NamedTuple):
    """What is in a folder and the folders in it.

    Attributes:
      paths: the pictures, relative to the folder, sorted.
      outside: links that lead out of the folder and are not followed: their paths.
      unreadable: a sentence for each folder that could not be read.
      passed_over: everything else.
    """

    paths: List[str]
    outside: List[str]
    unreadable: List[str]
    passed_over: PassedOver


class Found(NamedTuple):
    """What --input means: the pictures in order, and the rest as in `Listing`."""

    files: List[PictureFile]
    unreadable: List[str]
    passed_over: PassedOver


def is_picture(name: str) -> bool:
    """Whether a file name ends like that of a picture, whether or not a plug-in for it is there."""
    ending = os.path.splitext(name)[1].lower()
    return ending in decoding.EXTENSIONS or ending in decoding.PLUGIN_EXTENSIONS


def walk(
    folder: str,
    follow_links: bool = False,
    take_links: bool = False,
    take_results: bool = False,
    left_out: Optional[str] = None,
) -> Listing:
    """The pictures in `folder` and below.

    A link to a folder inside would give that twice and is never followed.

    Args:
      folder: where to look.
      follow_links: follows links that lead out of `folder`.
      take_links: takes linked files all the same, and counts linked folders as passed over.
      take_results: takes what predict has written.
      left_out: the real path of a folder that is passed over.
    """
    root, seen = os.path.realpath(folder), set()
    listing = Listing([], [], [], PassedOver())

    def refuse(error: OSError) -> None:
        name = printable(str(error.filename))
        listing.unreadable.append("%s cannot be read: %s" % (name, error.strerror))

    for place, folders, names in os.walk(folder, followlinks=follow_links, onerror=refuse):
        real = os.path.realpath(place)
        entered = []
        if real not in seen:
            for name in sorted(folders):
                path = os.path.join(place, name)
                linked = os.path.islink(path) and not follow_links
                if _is_hidden(name):
                    listing.passed_over.add(_HIDDEN)
                elif os.path.realpath(path) == left_out:
                    listing.passed_over.add(_OUTPUT)
                elif linked and not take_links and not _is_inside(path, root):
                    listing.outside.append(path)
                elif linked:
                    listing.passed_over.add(LINKED)
                else:
                    entered.append(name)
            for name in sorted(names):
                path = os.path.join(place, name)
                leads_out = os.path.islink(path) and not (follow_links or take_links)
                reason = _reason(path, name, take_results)
                if reason:
                    listing.passed_over.add(*reason)
                elif leads_out and not _is_inside(path, root):
                    listing.outside.append(path)
                else:
                    listing.paths.append(os.path.relpath(path, folder))
        seen.add(real)
        folders[:] = entered
    listing.paths.sort()
    return listing


def listed(paths: Iterable[str]) -> Listing:
    """As `walk`, of a listing of files that are not looked into.

    Args:
      paths: of all files of a folder, relative to it, with / between their parts.
    """
    listing = Listing([], [], [], PassedOver())
    for path in sorted(paths):
        *folders, name = path.split("/")
        hidden = any(map(_is_hidden, folders))
        reason = (_HIDDEN,) if hidden else _reason(path, name, take_results=True)
        if reason:
            listing.passed_over.add(*reason)
        else:
            listing.paths.append(path)
    return listing


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name in _SYSTEM_FOLDERS


def _is_inside(path: str, root: str) -> bool:
    return os.path.commonpath([os.path.realpath(path), root]) == root


def _reason(path: str, name: str, take_results: bool) -> Optional[Tuple[str, ...]]:
    """Why a file in a folder is not taken: the arguments of `PassedOver.add`; None if it is."""
    if _is_hidden(name):
        return (_HIDDEN,)
    ending = os.path.splitext(name)[1].lower()
    if not is_picture(name):
        return _NO_PICTURE, printable(ending) or "none"
    plugin = decoding.PLUGIN_EXTENSIONS.get(ending)
    if plugin and not decoding.is_readable(plugin):
        kind = "AVIF" if plugin == "AVIF" else "HEIC"
        return ("%s (%s reads them)" % (kind, install_command("pictures")),)
    if not take_results and results.record_of(path) is not None:
        return (_RESULTS,)
    return None


def find(
    pattern: str, output_dir: str, follow_links: bool = False, take_results: bool = False
) -> Found:
    """The pictures that --input means.

    Args:
      pattern: a picture, a folder (with the folders in it), or a pattern with *, ? or **. What
        exists as it is written is no pattern, be it the whole or the folders that it begins with.
      output_dir: a folder that is passed over where it lies below the one that is searched.
      follow_links: looks into linked folders.
      take_results: takes what predict has written.

    Raises:
      UserError: there are none.
    """
    if os.path.isdir(pattern):
        listing = walk(
            pattern, follow_links, True, take_results, _output_below(pattern, output_dir)
        )
        files = [PictureFile(os.path.join(pattern, path), path) for path in listing.paths]
        found = Found(files, listing.unreadable, listing.passed_over)
        missing = "there is no picture (%s) in %s" % (decoding.KINDS, printable(pattern))
    elif os.path.lexists(pattern):
        return Found([PictureFile(pattern, os.path.basename(pattern))], [], PassedOver())
    elif _WILDCARD.search(pattern):
        found = _matching(pattern, output_dir, take_results)
        missing = "no picture matches --input=%s" % printable(pattern)
    else:
        found = Found([], [], PassedOver())
        missing = "--input=%s does not exist" % printable(pattern)
    if not found.files:
        reasons = [text for text in found.unreadable + [str(found.passed_over)] if text]
        missing += " (%s)" % "; ".join(reasons) if reasons else ""
        if found.passed_over.results:
            raise UserError(missing + "; --from_results takes what predict has written")
        raise UserError(missing + "; name a picture, a folder, or a pattern in quotes")
    return found


def _output_below(root: str, output_dir: str) -> Optional[str]:
    """The real path of the output folder where it lies below `root`; else nothing is left out."""
    output, root = os.path.realpath(output_dir), os.path.realpath(root or os.curdir)
    return output if output != root and _is_inside(output, root) else None


def _matching(pattern: str, output_dir: str, take_results: bool) -> Found:
    literal, rest = _as_written(pattern)
    root = os.path.dirname(os.path.join(literal, _WILDCARD.split(rest, 1)[0] + "x"))
    left_out = _output_below(root, output_dir)
    found = Found([], [], PassedOver())
    for path in _matches(literal, rest):
        relative = os.path.relpath(path, root or os.curdir)
        if os.path.isdir(path):
            if "**" not in rest:
                found.passed_over.add(_FOLDERS)
            continue
        spelt = os.path.basename(path) if os.path.basename(path)[:1] == "." else ""
        reason: Any = _reason(path, spelt.lstrip(".") or os.path.basename(path), take_results)
        if left_out and _is_inside(path, left_out):
            reason = (_OUTPUT,)
        elif _SYSTEM_FOLDERS.intersection(relative.split(os.sep)):
            reason = (_HIDDEN,)
        if reason:
            found.passed_over.add(*reason)
        else:
            found.files.append(PictureFile(path, relative))
    return found


def _as_written(pattern: str) -> Tuple[str, str]:
    """The folders that a pattern begins with and that exist as they are written, and the rest."""
    literal, rest = "", pattern
    while os.sep in rest:
        head, _, tail = rest.partition(os.sep)
        folder = os.path.join(literal, head or (os.sep if not literal else ""))
        if not os.path.isdir(folder):
            break
        literal, rest = folder, tail
    return literal, rest


def _matches(literal: str, rest: str) -> Iterator[str]:
    """Paths that match, sorted; each file once, however many links lead to its folder."""
    escaped = glob.escape(literal)
    paths = glob.glob(os.path.join(escaped, rest), recursive=True)
    if not paths:  # perhaps brackets are meant as they are written
        paths = glob.glob(os.path.join(escaped, rest.replace("[", "[[]")), recursive=True)
    by_place: Dict[Tuple[str, str], str] = {}
    for path in sorted(set(paths), key=lambda path: (path.count(os.sep), path)):
        folder, name = os.path.split(path)
        by_place.setdefault((os.path.realpath(folder), name), path)
    return iter(sorted(by_place.values()))
