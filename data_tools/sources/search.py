"""SourcePicture files of an input folder, by the rule of `bsrn_estimator.pictures.files`."""

import os
from typing import List, Tuple

from bsrn_estimator.errors import UserError, printable
from bsrn_estimator.pictures.files import Listing, walk

Problems = List[Tuple[str, str]]


def pictures_in(folder: str, follow_links: bool) -> Listing:
    """The pictures in `folder` and below.

    Raises:
      UserError: the folder does not exist, or one in it cannot be read.
    """
    require_folder(folder)
    listing = walk(folder, follow_links)
    if listing.unreadable:
        raise UserError(listing.unreadable[0])
    return listing


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


def leads_out(path: str, root: str) -> bool:
    """Whether a path, its links resolved, does not lie in `root`."""
    root = os.path.realpath(root)
    return os.path.commonpath([os.path.realpath(path), root]) != root
