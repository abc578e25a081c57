"""Pictures on disk and side by side."""

import numpy as np
import pytest
from PIL import Image

from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation import comparison


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="a.png cannot be written"):
        comparison.save_png(np.zeros([2, 2, 3], np.uint8), str(tmp_path / "file/a.png"))


@pytest.mark.parametrize(
    "name, safe",
    [
        ("0801", "0801"),
        ("a.b-c_d e", "a.b-c_d e"),
        ("../../etc/passwd", "______etc_passwd"),
        ("..", "__"),
        (".hidden.png", "_hidden.png"),
        ('a/b?c"d<e>f|g\x7f', "a_b_c_d_e_f_g_"),
        ("a\\b:c*d", "a_b_c_d"),
        ("a\x00\nb", "a__b"),
        ("", "_"),
        ("\u00e4" * 150, "\u00e4" * 100),
    ],
)
def test_names_of_files_are_safe(name, safe):
    assert comparison.safe_name(name) == safe


def test_the_middle_is_shown_side_by_side():
    """40x30 LR at x3, at most 32 pixels: 10x10 LR pixels from (15, 10) on."""
    lr, bicubic, result, hr = (
        np.random.RandomState(i).randint(0, 256, size).astype(np.uint8)
        for i, size in enumerate([(40, 30, 3), (120, 90, 3), (120, 90, 3), (122, 91, 3)])
    )
    shown = comparison.side_by_side(lr, bicubic, result, hr, 3, longest=32)
    assert shown.shape == (30, 4 * 30 + 12, 3)
    assert (shown[1:30:3, 1:30:3] == lr[15:25, 10:20]).all()
    for start, picture in [(34, bicubic), (68, result), (102, hr)]:
        assert (shown[:, start - 4 : start] == 255).all()
        assert (shown[:, start : start + 30] == picture[45:75, 30:60]).all()


def test_a_picture_on_disk_is_the_picture(tmp_path):
    for name, shape in (("grey", (5, 7)), ("rgb", (5, 7, 3))):
        picture = np.random.RandomState(1).randint(0, 256, shape).astype(np.uint8)
        path = tmp_path / "new" / (name + ".png")
        comparison.save_png(picture, str(path))
        assert path.read_bytes() == comparison.encode_png(picture)
        np.testing.assert_array_equal(np.asarray(Image.open(str(path))), picture)
    assert sorted(each.name for each in (tmp_path / "new").iterdir()) == ["grey.png", "rgb.png"]


def test_of_a_small_picture_all_is_shown():
    lr = np.zeros([2, 3, 3], np.uint8)
    large = np.zeros([8, 12, 3], np.uint8)
    assert comparison.side_by_side(lr, large, large, large, 4).shape == (8, 4 * 12 + 12, 3)
    # One LR pixel at least.
    assert comparison.side_by_side(lr, large, large, large, 4, 3).shape == (4, 4 * 4 + 12, 3)
