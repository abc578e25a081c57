"""The published generators of SRDRM on the first picture of USR-248, by the real command.

The figures are those of code apart from this project's; docs/srdrm.md has means of 25 pictures.
"""

import json
import shutil

import pytest

from data_tools import to_tfrecord
from tests.support import in_process

_PICTURE = "im_xb_1032_.jpg"
# Of protocol plain: PSNR and SSIM of luma, SSIM of column 0, PSNR and SSIM of RGB, UIQM.
_NAMES = ("psnr_luma", "ssim_luma", "ssim_column0", "psnr_rgb", "ssim_rgb", "uiqm")
_GOLDEN = {
    "x2_srdrm.h5": (33.1062, 0.9069, 0.9860, 31.3586, 0.8891, 1.9771),
    "x2_srdrm-gan.h5": (33.0733, 0.9076, 0.9849, 31.5110, 0.8912, 1.9614),
}


@pytest.fixture(scope="module")
def records(shared_dir, tmp_path_factory):
    """A folder of evaluation records of the one picture at x2."""
    root = tmp_path_factory.mktemp("usr248")
    pictures = shared_dir / "data" / "USR248"
    for source, folder in (("HR", "hr"), ("LR_given/X2", "lr_2x")):
        (root / "TEST" / folder).mkdir(parents=True)
        shutil.copy(str(pictures / source / _PICTURE), str(root / "TEST" / folder))
    arguments = ["--dataset=usr248", "--split=test", "--scales=2", "--input_dir=%s" % root]
    arguments += ["--output_dir=%s" % (root / "records"), "--workers=1"]
    assert to_tfrecord.main(["to_tfrecord.py"] + arguments) == 0
    return str(root / "records")


@pytest.mark.parametrize("name", sorted(_GOLDEN))
def test_the_first_picture(records, shared_dir, tmp_path, name):
    weights = shared_dir / "reference" / "srdrm" / name
    if not weights.exists():
        pytest.skip("no file %s on this machine" % weights)
    arguments = ["--mode=evaluate", "--checkpoint=%s" % weights, "--eval_data_dir=" + records]
    arguments += ["--model_dir=%s" % tmp_path, "--protocol=plain,srdrm2019", "--device=cpu"]
    try:
        assert in_process.run(arguments) == 0
    finally:
        in_process.reset()
    (path,) = tmp_path.glob("evaluation/*/*/metrics.json")
    found = json.loads(path.read_text())["scales"]["2"]
    for key, expected in zip(_NAMES, _GOLDEN[name]):
        assert found["plain_" + key] == pytest.approx(expected, abs=0.0002), key
    # LR has the full range, so stretching what comes out is all that differs.
    assert found["srdrm2019_psnr_rgb"] < found["plain_psnr_rgb"]
