"""Any tree of HR pictures; the LR pictures are made from them with MATLAB's bicubic."""

import os

from bsrn_estimator.errors import UserError, printable
from bsrn_estimator.pictures.decoding import EXTENSIONS
from data_tools.options import Options
from data_tools.sources import files
from data_tools.sources.picture import Found, Picture, StoredFile, safe_name, with_unique_names


def find_folder(options: Options) -> Found:
    """The pictures below `input_dir`; `a/b/c.png` is called `a_b_c`.

    Raises:
      UserError: there is no such folder, or no picture in it.
    """
    folder = options.input_dir
    problems: files.Problems = []
    paths = files.walk(folder, options.follow_links, problems)
    if not paths and not problems:
        raise UserError(
            "%s holds no picture (%s); check --input_dir"
            % (printable(folder), ", ".join(EXTENSIONS))
        )
    candidates = [
        (
            printable(os.path.join(folder, path)),
            Picture(
                safe_name(os.path.splitext(path)[0].replace(os.sep, "_")),
                StoredFile(os.path.join(folder, path)),
            ),
        )
        for path in paths
    ]
    found = with_unique_names(candidates)
    found.problems = problems + found.problems
    return found
