"""Any tree of HR pictures; the LR pictures are made from them with MATLAB's bicubic."""

import os

from bsrn_estimator.errors import UserError, printable
from bsrn_estimator.pictures import pairs
from bsrn_estimator.pictures.decoding import KINDS
from data_tools.options import ConversionOptions
from data_tools.sources.picture import (
    Found,
    SourcePicture,
    record_name,
    with_unique_names,
)
from data_tools.sources.search import link_problem
from data_tools.sources.searching import search_of


def find_folder(options: ConversionOptions) -> Found:
    """The pictures below `input_dir`; `a/b/c.png` is called `a_b_c`.

    Raises:
      UserError: there is no such folder, or no picture in it.
    """
    folder = options.input_dir
    search = search_of(folder)
    listing = search.pictures_in(folder, options.follow_links)
    if not listing.paths and not listing.outside:
        reasons = str(listing.passed_over)
        raise UserError(
            "%s holds no picture (%s)%s; check --input_dir"
            % (printable(folder), KINDS, reasons and "; " + reasons)
        )
    candidates = [
        (
            printable(os.path.join(folder, path)),
            SourcePicture(record_name(pairs.stem(path)), search.stored(os.path.join(folder, path))),
        )
        for path in listing.paths
    ]
    found = with_unique_names(candidates)
    outside = [(os.path.basename(path), link_problem(path)) for path in listing.outside]
    return found._replace(problems=outside + found.problems, passed_over=listing.passed_over)
