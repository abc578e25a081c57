"""What can be known of all pictures from their headers, before anything is written."""

from concurrent import futures
from typing import List, NamedTuple, Optional, Tuple

from bsrn_estimator.data.tiles import common_multiple
from bsrn_estimator.errors import UserError
from bsrn_estimator.pictures import pairs
from bsrn_estimator.pictures.decoding import picture_size
from bsrn_estimator.progress import progress
from data_tools.options import ConversionOptions
from data_tools.sources import Found, SourcePicture

_THREADS = 8  # headers are waited for, not computed


class Checked(NamedTuple):
    """What the headers tell.

    Attributes:
      pictures: those that can be converted, as far as their headers tell, in order.
      sizes: height and width of each of them.
      problems: name of each other one, and a sentence that says what is wrong.
      fitting_patch: the largest --patch_size for which no picture is too small; None where none is
        too small already, or where no patch size would do.
    """

    pictures: List[SourcePicture]
    sizes: List[Tuple[int, int]]
    problems: List[Tuple[str, str]]
    fitting_patch: Optional[int]


def check(found: Found, options: ConversionOptions) -> Checked:
    """Splits what a source found."""
    pictures, sizes, problems, patches = [], [], list(found.problems), []
    with futures.ThreadPoolExecutor(_THREADS) as pool:
        results = pool.map(lambda picture: _look(picture, options), found.pictures)
        bar = progress(results, len(found.pictures), "Checking", "pictures")
        for (size, problem), picture in zip(bar, found.pictures):
            if problem is None and size is not None:
                problem = _too_small(picture, size, options)
                if problem:
                    patches.append(_largest_patch(size, options))
            if problem is None and size is not None:
                pictures.append(picture)
                sizes.append(size)
            elif problem is not None:
                problems.append((picture.name, problem))
    fitting = min(patches) if patches and options.training else 0
    return Checked(pictures, sizes, problems, fitting or None)


def _look(
    picture: SourcePicture, options: ConversionOptions
) -> Tuple[Optional[Tuple[int, int]], Optional[str]]:
    """Height and width of the HR picture, or what is wrong with it or its LR pictures."""
    try:
        size = picture_size(picture.hr.content(), options.max_pixels, picture.hr.label)
        for scale, stored in (picture.lr or {}).items():
            lr_size = picture_size(stored.content(), options.max_pixels, stored.label)
            pairs.check_sizes(stored.label, lr_size, size, scale)
    except UserError as error:
        return None, str(error)
    return size, None


def _largest_patch(size: Tuple[int, int], options: ConversionOptions) -> int:
    """The largest patch, in LR pixels of the largest scale, that tiles of such a picture hold."""
    multiple = common_multiple(options.scales)
    return min(size) // multiple * multiple // max(options.scales)


def _too_small(
    picture: SourcePicture, size: Tuple[int, int], options: ConversionOptions
) -> Optional[str]:
    multiple = common_multiple(options.scales) if options.training else 1
    patch = max(options.patch_size, 1)
    scale = max(options.scales)
    if min(side // multiple * multiple for side in size) >= patch * scale:
        return None
    needed = -(-patch * scale // multiple) * multiple
    what = (
        "a training patch of %dx%d LR pixels" % (patch, patch) if options.training else "one pixel"
    )
    return "%s is %dx%d, too small for %s at scale %d, which needs %dx%d" % (
        picture.hr.label,
        size[1],
        size[0],
        what,
        scale,
        needed,
        needed,
    )
