"""LR pictures and the HR pictures that they were made from: one rule for names, one for sizes.

Names are compared without their endings, with their folders, in Unicode's composed form: an archive
packed on a Mac writes an umlaut as a letter and a mark. An LR picture is called as its HR picture,
or has the `x4` behind its name that data sets put there.
"""

import os
import unicodedata
from typing import Dict, Iterable, Tuple

from bsrn_estimator.errors import UserError, printable


def stem(relative: str) -> str:
    """What a picture is called: its path below its folder without the ending, composed."""
    return unicodedata.normalize("NFC", os.path.splitext(relative)[0])


def by_stem(paths: Iterable[str], folder: str) -> Tuple[Dict[str, str], Dict[str, str]]:
    """Pictures by their names.

    Args:
      paths: relative to `folder`, in the order in which two of one name are to be listed.
      folder: where they are.

    Returns:
      found: name to path, `folder` included;
      bad: a name that several have, and a sentence that says so.
    """
    found: Dict[str, str] = {}
    bad: Dict[str, str] = {}
    for path in paths:
        name = stem(path)
        if name in found:
            both = printable(os.path.join(folder, found[name])), printable(path)
            bad[name] = "%s and %s are two pictures of one name; remove one" % both
        else:
            found[name] = path
    return {n: os.path.join(folder, p) for n, p in found.items() if n not in bad}, bad


def hr_names(lr: Iterable[str], hr: Iterable[str], scale: int) -> Dict[str, str]:
    """The names of the HR pictures of LR pictures.

    Args:
      lr: names of LR pictures of one folder; see `stem`.
      hr: names of HR pictures.
      scale: their scale.

    Returns:
      LR name to HR name, for those that have one. Where an LR name is that of one HR picture as it
      is and that of another without its `x4`, most of the folder decides.
    """
    lr, hr = list(lr), set(hr)
    suffix = "x%d" % scale
    as_is = {name: name for name in lr if name in hr}
    cut = {n: n[: -len(suffix)] for n in lr if n.endswith(suffix) and n[: -len(suffix)] in hr}
    return dict(as_is, **cut) if len(cut) > len(as_is) else dict(cut, **as_is)


def check_sizes(label: str, lr: Tuple[int, int], hr: Tuple[int, int], scale: int) -> None:
    """Raises UserError where `lr` (height, width) is not `hr` divided by `scale`, rounded down."""
    expected = (hr[0] // scale, hr[1] // scale)
    if lr != expected:
        raise UserError(
            "%s is %dx%d, but the LR picture of scale %d of a picture of %dx%d is %dx%d"
            % (label, lr[1], lr[0], scale, hr[1], hr[0], expected[1], expected[0])
        )
