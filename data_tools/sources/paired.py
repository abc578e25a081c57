"""HR pictures with LR pictures given: DIV2K, BSD100, USR-248, and the layout of the other sets.

DIV2K_train_HR/0001.png    DIV2K_train_LR_bicubic/X2/0001x2.png     (valid likewise)
SR/name.png or HR/         LR/x2/name.png
HR/name.png                LR_bicubic/X2/namex2.png
train_val/hr/name.jpg      train_val/lr_2x/name.jpg                 (TEST likewise: USR-248)

`bsrn_estimator.pictures.pairs` says which LR picture belongs to which HR picture.
"""

import itertools
import os
from typing import Dict, List, NamedTuple, Tuple

from bsrn_estimator.errors import UserError, printable
from bsrn_estimator.pictures import pairs
from bsrn_estimator.pictures.files import LINKED, PassedOver
from data_tools.options import ConversionOptions
from data_tools.sources import search
from data_tools.sources.picture import (
    Found,
    SourcePicture,
    StoredFile,
    record_name,
    with_unique_names,
)


class Layout(NamedTuple):
    """Where one set keeps its pictures; `%d` stands for the scale.

    Attributes:
      hr: folder of the HR pictures.
      lr: folder of the LR pictures of one scale.
      lr_x8: folder of the LR pictures of scale 8 where it stands apart, as that of DIV2K does.
    """

    hr: str
    lr: str
    lr_x8: str = ""

    def lr_folder(self, root: str, scale: int) -> str:
        """The folder of the LR pictures of `scale`."""
        folder, apart = os.path.join(root, self.lr % scale), os.path.join(root, self.lr_x8)
        if scale == 8 and self.lr_x8 and not os.path.isdir(folder) and os.path.isdir(apart):
            return apart
        return folder


_PLAIN = os.path.join("LR", "x%d")
_NUMBERED = os.path.join("LR_bicubic", "X%d")
_PARTS_OF_USR248 = {"train": "train_val", "test": "TEST"}


def find_paired(options: ConversionOptions) -> Found:
    """The pictures of a set that comes with its LR pictures, in the folders of its sequences too.

    Raises:
      UserError: a folder of the layout is missing, or there is no HR picture.
    """
    root, layout = _layout(options)
    hr_folder = os.path.join(root, layout.hr)
    passed_over = PassedOver()
    hr, bad = _pictures_of(hr_folder, root, options.follow_links, passed_over)
    if not hr and not bad:
        reasons = str(passed_over)
        raise UserError(
            "%s holds no picture%s" % (printable(hr_folder), reasons and "; " + reasons)
        )
    lr: Dict[int, Dict[str, str]] = {}
    for scale in options.scales:
        folder = _lr_folder(root, layout, scale)
        found, bad_lr = _pictures_of(folder, root, options.follow_links, passed_over)
        lr[scale], problems = _matched(hr_folder, folder, scale, hr, bad, found, bad_lr)
        for name, problem in problems.items():
            bad.setdefault(name, problem)
    candidates: List[Tuple[str, SourcePicture]] = [
        (
            printable(hr[name]),
            SourcePicture(
                record_name(name),
                StoredFile(hr[name]),
                {scale: StoredFile(lr[scale][name]) for scale in options.scales},
            ),
        )
        for name in hr
        if name not in bad
    ]
    unique = with_unique_names(candidates)
    return Found(unique.pictures, unique.problems + list(bad.items()), passed_over)


def _pictures_of(
    folder: str, root: str, follow_links: bool, passed_over: PassedOver
) -> Tuple[Dict[str, str], Dict[str, str]]:
    """As `pairs.by_stem`, of all that is in a folder; links must not lead out of `root`."""
    search.require_folder(folder)
    if not follow_links and search.leads_out(folder, root):
        raise UserError(search.link_problem(folder))
    listing = search.pictures_in(folder, follow_links)
    passed_over.update(listing.passed_over)
    inside, out = [], []
    for path in listing.outside:
        if search.leads_out(path, root):
            out.append(path)
        elif os.path.isdir(path):
            passed_over.add(LINKED)
        else:  # from one part of the set to another no link leads out
            inside.append(os.path.relpath(path, folder))
    paths, bad = pairs.by_stem(sorted(listing.paths + inside), folder)
    for path in out:
        name = pairs.stem(os.path.relpath(path, folder))
        bad[name] = search.link_problem(path)
        paths.pop(name, None)
    return paths, bad


def _lr_folder(root: str, layout: Layout, scale: int) -> str:
    folder = layout.lr_folder(root, scale)
    if not os.path.isdir(folder):
        raise UserError(
            "%s is missing, the folder of the LR pictures of scale %d; get it, or leave the scale "
            "out of --scales" % (printable(folder), scale)
        )
    return folder


def _matched(
    hr_folder: str,
    lr_folder: str,
    scale: int,
    hr: Dict[str, str],
    bad_hr: Dict[str, str],
    lr: Dict[str, str],
    bad_lr: Dict[str, str],
) -> Tuple[Dict[str, str], Dict[str, str]]:
    """HR name to LR path, and names of pictures that cannot be used because of their LR picture."""
    names = pairs.hr_names(itertools.chain(lr, bad_lr), itertools.chain(hr, bad_hr), scale)
    problems = {names.get(name, name): problem for name, problem in bad_lr.items()}
    found: Dict[str, str] = {}
    for lr_name, path in lr.items():
        name = names.get(lr_name)
        if name is None:
            problem = "%s has no HR picture in %s"
            problems[lr_name] = problem % (printable(path), printable(hr_folder))
        elif name in found:
            both = printable(found[name]), printable(path), printable(hr[name])
            problems[name] = "%s and %s are both LR pictures of %s; remove one" % both
        else:
            found[name] = path
    for name in hr:
        if name not in found and name not in problems:
            problem = "%s has no LR picture of scale %d in %s"
            problems[name] = problem % (printable(hr[name]), scale, printable(lr_folder))
    return found, problems


def _layout(options: ConversionOptions) -> Tuple[str, Layout]:
    """The folder that the layout begins in, and the layout that is there."""
    search.require_folder(options.input_dir)
    if options.dataset == "div2k":
        hr = "DIV2K_%s_HR" % options.split
        lr = "DIV2K_%s_LR_bicubic" % options.split
        layouts = [Layout(hr, os.path.join(lr, "X%d"), "DIV2K_%s_LR_x8" % options.split)]
        expected = "%s/ and %s/X2/" % (hr, lr)
    elif options.dataset == "usr248":
        part = _PARTS_OF_USR248[options.split]
        layouts = [Layout(os.path.join(part, "hr"), os.path.join(part, "lr_%dx"))]
        expected = "%s/hr/ beside %s/lr_2x/" % (part, part)
    else:
        layouts = [Layout("SR", _PLAIN), Layout("HR", _PLAIN), Layout("HR", _NUMBERED)]
        expected = "SR/ or HR/ beside LR/x2/ or LR_bicubic/X2/"
    # The archive of a set may have been unpacked into a folder of its name.
    for root in (options.input_dir, os.path.join(options.input_dir, options.dataset.upper())):
        for layout in layouts:
            parts = (layout.hr, os.path.dirname(layout.lr))
            if all(os.path.isdir(os.path.join(root, part)) for part in parts):
                return root, layout
    raise UserError(
        "%s is not laid out as --dataset=%s needs it: %s"
        % (printable(options.input_dir), options.dataset, expected)
    )
