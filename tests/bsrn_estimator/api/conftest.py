import pytest

import bsrn_estimator as bsrn
from tests.support import fabricate

SCALES = (2, 3)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Training records, and evaluation records called "held"; converted by `convert`."""
    folder = tmp_path_factory.mktemp("sets")
    fabricate.folder(folder / "pictures", [(66, 72), (60, 84), (72, 66)])
    made = []
    for name, kind in (("train", "training"), ("held", "evaluation")):
        options = bsrn.ConversionOptions(
            "folder",
            str(folder / "pictures"),
            str(folder / name),
            scales=SCALES,
            kind=kind,
            patch_size=7,
            workers=1,
        )
        made.append(bsrn.convert(options))
    return made
