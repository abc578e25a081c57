"""Picture files in folders, found without being led out of them."""

import os
from typing import Dict, List, Tuple

from bsrn_estimator.errors import UserError, printable
from bsrn_estimator.pictures.decoding import EXTENSIONS

Problems = List[Tuple[str, str]]


def is_picture(name: str) -> bool:
    """Whether a file of this name is taken for a picture; hidden files are not."""
    return name.lower().endswith(EXTENSIONS) and not name.startswith(".")


def walk(folder: str, follow_links: bool, problems: Problems) -> List[str]:
    """Paths of all picture files in `folder` and below, relative to it, sorted.

    A symbolic link that leads out of `folder` becomes a problem, unless links are followed; one
    that stays inside would give a folder twice and is passed over, to a file it is taken.

    Raises:
      UserError: the folder does not exist or cannot be read.
    """
    require_folder(folder)
    root = os.path.realpath(folder)
    paths, seen = [], set()
    for place, folders, names in os.walk(folder, followlinks=follow_links, onerror=_refuse):
        real = os.path.realpath(place)
        if real in seen:  # links in a circle
            folders[:] = []
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in [n for n in names if is_picture(n)] + folders:
            path = os.path.join(place, name)
            if not follow_links and os.path.islink(path) and not _inside(path, root):
                problems.append((name, link_problem(path)))
            elif name not in folders:
                paths.append(os.path.relpath(path, folder))
    return sorted(paths)


def by_stem(folder: str, root: str, follow_links: bool) -> Tuple[Dict[str, str], Dict[str, str]]:
    """The picture files directly in `folder`.

    Args:
      folder: the folder to list.
      root: the input folder, which links must not lead out of.
      follow_links: whether they may.

    Returns:
      paths: name without extension to path;
      bad: name without extension to what is wrong: two files of one name, a link that leads out.

    Raises:
      UserError: the folder does not exist, cannot be read, or leads out of `root`.
    """
    require_folder(folder)
    root = os.path.realpath(root)
    if not follow_links and not _inside(folder, root):
        raise UserError(link_problem(folder))
    try:
        names = sorted(name for name in os.listdir(folder) if is_picture(name))
    except OSError as error:
        _refuse(error)
    paths: Dict[str, str] = {}
    bad: Dict[str, str] = {}
    for name in names:
        path = os.path.join(folder, name)
        stem = os.path.splitext(name)[0]
        if not follow_links and os.path.islink(path) and not _inside(path, root):
            bad[stem] = link_problem(path)
        elif stem in paths:
            both = (printable(paths[stem]), printable(name))
            bad[stem] = "%s and %s are two pictures of one name; remove one" % both
        else:
            paths[stem] = path
    return {stem: path for stem, path in paths.items() if stem not in bad}, bad


def require_folder(folder: str) -> None:
    """Raises UserError where `folder` is not one."""
    if not os.path.isdir(folder):
        raise UserError("%s is not a folder; check --input_dir" % printable(folder))


def link_problem(path: str) -> str:
    """What is said of a link that leads out of the input folder."""
    return (
        "%s is a symbolic link out of the input folder; --follow_links takes it all the same"
        % printable(path)
    )


def _inside(path: str, root: str) -> bool:
    real = os.path.realpath(path)
    return os.path.commonpath([real, root]) == root


def _refuse(error: OSError) -> None:
    raise UserError("%s cannot be read: %s" % (printable(str(error.filename)), error.strerror))
