"""The pictures of an input folder, by the rule of `bsrn_estimator.pictures.files`."""

import os

from bsrn_estimator.errors import UserError, printable
from bsrn_estimator.pictures.files import Listing, walk
from data_tools.sources.picture import Stored, StoredFile


class Search:
    """Looks for pictures on this machine."""

    def is_folder(self, path: str) -> bool:
        """Whether `path` is a folder."""
        return os.path.isdir(path)

    def require_folder(self, folder: str) -> None:
        """Raises UserError where `folder` is not one."""
        if not self.is_folder(folder):
            raise UserError("%s is not a folder; check --input_dir" % printable(folder))

    def pictures_in(self, folder: str, follow_links: bool) -> Listing:
        """The pictures in `folder` and below.

        Raises:
          UserError: the folder does not exist, or one in it cannot be read.
        """
        self.require_folder(folder)
        listing = walk(folder, follow_links)
        if listing.unreadable:
            raise UserError(listing.unreadable[0])
        return listing

    def stored(self, path: str) -> Stored:
        """The picture of a path that `pictures_in` has found."""
        return StoredFile(path)

    def leads_out(self, path: str, root: str) -> bool:
        """Whether a path, its links resolved, does not lie in `root`."""
        root = os.path.realpath(root)
        return os.path.commonpath([os.path.realpath(path), root]) != root


def link_problem(path: str) -> str:
    """What is said of a link that leads out of the input folder."""
    return (
        "%s is a symbolic link out of the input folder; --follow_links takes it all the same"
        % printable(path)
    )
