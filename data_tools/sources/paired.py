"""HR pictures with LR pictures given: DIV2K, BSD100, and the layout of the other benchmark sets.

DIV2K_train_HR/0001.png    DIV2K_train_LR_bicubic/X2/0001x2.png     (valid likewise)
SR/name.png or HR/         LR/x2/name.png
HR/name.png                LR_bicubic/X2/namex2.png
"""

import os
from typing import Dict, Iterator, List, NamedTuple, Tuple

from bsrn_estimator.errors import UserError, printable
from data_tools.options import Options
from data_tools.sources import files
from data_tools.sources.picture import Found, Picture, StoredFile, safe_name, with_unique_names


class Layout(NamedTuple):
    """Where one set keeps its pictures; `%d` stands for the scale.

    Attributes:
      hr: folder of the HR pictures.
      lr: folder of the LR pictures of one scale.
      suffix: what follows the picture's name in the name of an LR picture.
      lr_x8: folder of the LR pictures of scale 8 where it stands apart, as that of DIV2K does.
    """

    hr: str
    lr: str
    suffix: str
    lr_x8: str = ""

    def lr_folder(self, root: str, scale: int) -> str:
        """The folder of the LR pictures of `scale`."""
        folder, apart = os.path.join(root, self.lr % scale), os.path.join(root, self.lr_x8)
        if scale == 8 and self.lr_x8 and not os.path.isdir(folder) and os.path.isdir(apart):
            return apart
        return folder

    def name_of(self, lr_stem: str, scale: int) -> str:
        """The name of the picture that an LR picture belongs to, "" where it has no suffix."""
        suffix = self.suffix.replace("%d", str(scale))
        return lr_stem[: len(lr_stem) - len(suffix)] if lr_stem.endswith(suffix) else ""


_PLAIN = os.path.join("LR", "x%d")
_NUMBERED = os.path.join("LR_bicubic", "X%d")


def find_paired(options: Options) -> Found:
    """The pictures of a set that comes with its LR pictures.

    Raises:
      UserError: a folder of the layout is missing, or there is no HR picture.
    """
    root, layout = _layout(options)
    hr_folder = os.path.join(root, layout.hr)
    hr, bad = files.by_stem(hr_folder, root, options.follow_links)
    if not hr and not bad:
        raise UserError("%s holds no picture" % printable(hr_folder))
    lr: Dict[int, Dict[str, str]] = {}
    for scale in options.scales:
        lr[scale], bad_lr = _lr_files(root, layout, scale, options.follow_links)
        for name, problem in _unmatched(hr_folder, layout, scale, hr, bad, lr[scale], bad_lr):
            bad.setdefault(name, problem)
    candidates: List[Tuple[str, Picture]] = [
        (
            printable(hr[name]),
            Picture(
                safe_name(name),
                StoredFile(hr[name]),
                {scale: StoredFile(lr[scale][name]) for scale in options.scales},
            ),
        )
        for name in hr
        if name not in bad
    ]
    found = with_unique_names(candidates)
    found.problems += bad.items()
    return found


def _lr_files(
    root: str, layout: Layout, scale: int, follow_links: bool
) -> Tuple[Dict[str, str], Dict[str, str]]:
    """As `files.by_stem`, by the name of the picture instead of that of its file."""
    folder = layout.lr_folder(root, scale)
    if not os.path.isdir(folder):
        raise UserError(
            "%s is missing, the folder of the LR pictures of scale %d; get it, or leave the scale "
            "out of --scales" % (printable(folder), scale)
        )
    paths, bad = files.by_stem(folder, root, follow_links)
    for stem, path in paths.items():
        if not layout.name_of(stem, scale):
            suffix = layout.suffix.replace("%d", str(scale))
            bad[stem] = "%s should be called NAME%s" % (printable(path), suffix)
    return (
        {layout.name_of(stem, scale): path for stem, path in paths.items() if stem not in bad},
        {layout.name_of(stem, scale) or stem: problem for stem, problem in bad.items()},
    )


def _unmatched(
    hr_folder: str,
    layout: Layout,
    scale: int,
    hr: Dict[str, str],
    bad_hr: Dict[str, str],
    lr: Dict[str, str],
    bad_lr: Dict[str, str],
) -> Iterator[Tuple[str, str]]:
    """Names of pictures that cannot be used because of their LR picture, and why."""
    yield from bad_lr.items()
    for name, path in hr.items():
        if name not in lr:
            problem = "%s has no LR picture of scale %d in %s"
            folder = layout.lr_folder(os.path.dirname(hr_folder), scale)
            yield name, problem % (printable(path), scale, printable(folder))
    for name, path in lr.items():
        if name not in hr and name not in bad_hr:
            yield name, "%s has no HR picture in %s" % (printable(path), printable(hr_folder))


def _layout(options: Options) -> Tuple[str, Layout]:
    """The folder that the layout begins in, and the layout that is there."""
    files.require_folder(options.input_dir)
    if options.dataset == "div2k":
        hr = "DIV2K_%s_HR" % options.split
        lr = "DIV2K_%s_LR_bicubic" % options.split
        layouts = [Layout(hr, os.path.join(lr, "X%d"), "x%d", "DIV2K_%s_LR_x8" % options.split)]
        expected = "%s/ and %s/X2/" % (hr, lr)
    else:
        layouts = [Layout("SR", _PLAIN, ""), Layout("HR", _PLAIN, "")]
        layouts += [Layout("HR", _NUMBERED, "x%d")]
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
