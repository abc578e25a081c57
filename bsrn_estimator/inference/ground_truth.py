"""The HR pictures of --hr_dir that results are compared with."""

import itertools
from typing import Sequence, Tuple

from bsrn_estimator.errors import UserError, printable
from bsrn_estimator.pictures import pairs
from bsrn_estimator.pictures.decoding import picture_size
from bsrn_estimator.pictures.files import PictureFile, walk


class GroundTruth:
    """The HR pictures of the pictures of a command.

    Args:
      hr_dir: the folder.
      files: the LR pictures.
      scale: their scale.
      max_pixels: the most pixels that an HR picture may announce.
    """

    def __init__(
        self, hr_dir: str, files: Sequence[PictureFile], scale: int, max_pixels: int
    ) -> None:
        listing = walk(hr_dir, follow_links=True, take_results=True)
        if listing.unreadable:
            raise UserError(listing.unreadable[0])
        self._scale, self._max_pixels = scale, max_pixels
        self._paths, self._bad = pairs.by_stem(listing.paths, hr_dir)
        stems = [pairs.stem(file.relative) for file in files]
        self._names = pairs.hr_names(stems, itertools.chain(self._paths, self._bad), scale)

    def path(self, file: PictureFile, size: Tuple[int, int]) -> str:
        """The HR picture of an LR picture of `size` (height, width).

        Raises:
          UserError: there is none, there are two, or it is not of the size.
        """
        name = self._names.get(pairs.stem(file.relative))
        label = printable(file.relative)
        if name is None:
            raise UserError("%s has no HR picture in --hr_dir" % label)
        if name in self._bad:
            raise UserError(self._bad[name])
        path = self._paths[name]
        pairs.check_sizes(label, size, picture_size(path, self._max_pixels), self._scale)
        return path
