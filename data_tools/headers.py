"""What can be known of all pictures from their headers, before anything is written."""

from concurrent import futures
from typing import List, Optional, Tuple

from bsrn_estimator.errors import UserError
from bsrn_estimator.pictures.decoding import picture_size
from bsrn_estimator.progress import progress
from data_tools.options import Options
from data_tools.sources import Found, Picture
from data_tools.tiles import common_multiple

_THREADS = 8  # headers are waited for, not computed


def check(found: Found, options: Options) -> Tuple[List[Picture], List[Tuple[str, str]]]:
    """Splits what a source found.

    Returns:
      pictures: those that can be converted, as far as their headers tell, in order;
      problems: name of each other one, and a sentence that says what is wrong.
    """
    pictures, problems = [], list(found.problems)
    with futures.ThreadPoolExecutor(_THREADS) as pool:
        results = pool.map(lambda picture: problem_of(picture, options), found.pictures)
        bar = progress(results, len(found.pictures), "Checking", "pictures")
        for problem, picture in zip(bar, found.pictures):
            if problem is None:
                pictures.append(picture)
            else:
                problems.append((picture.name, problem))
    return pictures, problems


def problem_of(picture: Picture, options: Options) -> Optional[str]:
    """What is wrong with one picture, or None."""
    try:
        size = picture_size(picture.hr.content(), options.max_pixels, picture.hr.label)
        for scale, stored in (picture.lr or {}).items():
            lr_size = picture_size(stored.content(), options.max_pixels, stored.label)
            check_lr_size(stored.label, lr_size, size, scale)
    except UserError as error:
        return str(error)
    return _too_small(picture, size, options)


def check_lr_size(label: str, lr: Tuple[int, int], hr: Tuple[int, int], scale: int) -> None:
    """Raises UserError where `lr` (height, width) is not `hr` divided by `scale`, rounded down."""
    expected = (hr[0] // scale, hr[1] // scale)
    if lr != expected:
        raise UserError(
            "%s is %dx%d, but the LR picture of scale %d of a picture of %dx%d is %dx%d"
            % (label, lr[1], lr[0], scale, hr[1], hr[0], expected[1], expected[0])
        )


def _too_small(picture: Picture, size: Tuple[int, int], options: Options) -> Optional[str]:
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
