"""Results of three formats: what they hold, and that they are known again, whole or not."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from bsrn_estimator.errors import UserError
from bsrn_estimator.pictures import results
from bsrn_estimator.pictures.results import ResultFormat
from tests.support import tiny
from tests.support.disk import small_disk

RECORD = {"scale": 4, "source": "f\u00fcr.jpg", "tiles": [24, 24, 8], "quality": None}
FORMS = [ResultFormat(), ResultFormat("jpeg"), ResultFormat("webp"), ResultFormat("webp", 70)]
_PROFILE = b"\0" * 16 + b"RGB " + b"p" * 300


def _write(path, pixels, form, **kwargs):
    bits = 8 * pixels.dtype.itemsize
    with results.write(str(path), pixels.shape, bits, _PROFILE, RECORD, form, **kwargs) as writer:
        for band in np.split(pixels, [5, 12]):
            writer.write(band)


def _pixels(channels, dtype=np.uint8):
    pixels = np.dstack([tiny.picture(1, 23, 31), tiny.picture(2, 23, 31)[..., :1]])
    kept = {1: [0], 2: [0, 3], 3: [0, 1, 2], 4: [0, 1, 2, 3]}[channels]
    return np.ascontiguousarray(pixels[..., kept]).astype(dtype) * (257 if dtype != np.uint8 else 1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_pixels_profile_and_record(tmp_path, form, channels, dtype):
    if form.name == "jpeg" and channels in (2, 4):
        pytest.skip("JPEG holds no alpha; `check` refuses it")
    path = tmp_path / "a"
    pixels = _pixels(channels, dtype)
    _write(path, pixels, form)
    with Image.open(str(path)) as image:
        assert image.format == form.name.upper() and image.size == (31, 23)
        assert image.info["icc_profile"] == _PROFILE
        decoded = np.asarray(image.convert("RGBA" if channels in (2, 4) else "RGB"))
    expected = _pixels(channels)
    if channels < 3:
        expected = np.concatenate([expected[..., :1]] * 3 + [expected[..., 1:]], 2)
    if dtype == np.uint8 or form.name != "png":
        loss = np.abs(decoded.astype(int) - expected)[expected[..., -1] > 0]
        lossless = form.name == "png" or form == ResultFormat("webp")
        assert loss.max() == 0 if lossless else 0 < loss.mean() < 12
    assert results.record_of(str(path)) == RECORD
    assert results.is_whole(str(path)) and not results.is_cut_short(str(path))
    assert os.listdir(str(tmp_path)) == ["a"]


def test_quality_counts(tmp_path):
    sizes = []
    for name in ("jpeg", "webp"):
        for quality in (40, 90):
            _write(tmp_path / "a", _pixels(3), ResultFormat(name, quality))
            sizes.append((tmp_path / "a").stat().st_size)
    assert sizes[0] < sizes[1] and sizes[2] < sizes[3]


@pytest.mark.parametrize("form", FORMS[:3])
def test_cut_or_changed_anywhere_is_not_whole(tmp_path, form):
    path = tmp_path / "a"
    _write(path, _pixels(3), form)
    content = path.read_bytes()
    for cut in list(range(0, len(content), 97)) + [len(content) - 1]:
        path.write_bytes(content[:cut])
        assert not results.is_whole(str(path)), cut
        assert results.is_cut_short(str(path)), cut
    for place in list(range(0, len(content), 61)) + [len(content) - 1]:
        changed = bytearray(content)
        changed[place] ^= 1
        path.write_bytes(bytes(changed))
        assert not results.is_whole(str(path)), place
    # What a power cut leaves: all of the length, and zeros in place of a part.
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(100) + content[middle + 100 :])
    assert results.record_of(str(path)) == RECORD and not results.is_whole(str(path))
    path.write_bytes(content + b"more")
    assert not results.is_whole(str(path))
    path.write_bytes(content)
    assert results.is_whole(str(path))


def test_what_is_no_result(tmp_path):
    Image.fromarray(_pixels(3)).save(str(tmp_path / "a.png"))
    exif = Image.Exif()
    exif[0x0131] = "a camera 1.0"
    Image.fromarray(_pixels(3)).save(str(tmp_path / "a.jpg"), exif=exif.tobytes())
    (tmp_path / "text.png").write_text("bsrn_estimator {}")
    os.mkfifo(str(tmp_path / "pipe.png"))
    os.symlink("/dev/zero", str(tmp_path / "zero.png"))
    (tmp_path / "folder.png").mkdir()
    for name in ("a.png", "a.jpg", "text.png", "pipe.png", "zero.png", "folder.png", "none.png"):
        assert results.record_of(str(tmp_path / name)) is None, name
    for name in ("a.png", "a.jpg", "text.png", "none.png"):
        assert not results.is_whole(str(tmp_path / name)), name


def test_a_record_that_cannot_be_read_is_still_one(tmp_path):
    exif = Image.Exif()
    for text in ("bsrn_estimator {", "bsrn_estimator [1]", "bsrn_estimator"):
        exif[0x0131] = text
        Image.fromarray(_pixels(3)).save(str(tmp_path / "a.jpg"), exif=exif.tobytes())
        assert results.record_of(str(tmp_path / "a.jpg")) == {}


def test_what_a_format_does_not_hold():
    ResultFormat().check("a", 10**6, 20, True)
    ResultFormat("jpeg").check("a", 65500, 20, False)
    for form, size, alpha, words in [
        (ResultFormat("jpeg"), (65501, 20), False, "a would become 20 x 65501 .* JPEG takes 65500"),
        (ResultFormat("webp"), (20, 16384), True, "WEBP takes 16383 a side; use --output_format"),
        (ResultFormat("jpeg"), (20, 20), True, "a has transparent parts"),
    ]:
        with pytest.raises(UserError, match=words):
            form.check("a", size[0], size[1], alpha)


@pytest.mark.parametrize("form", FORMS[:3])
def test_nothing_is_left_of_a_failed_result(tmp_path, form):
    with pytest.raises(RuntimeError):
        with results.write(str(tmp_path / "a"), (4, 4, 3), 8, None, RECORD, form):
            assert os.listdir(str(tmp_path)) == ["a.incomplete"]
            raise RuntimeError
    with pytest.raises(ValueError, match="0 rows of 4"):
        with results.write(str(tmp_path / "a"), (4, 4, 3), 8, None, RECORD, form):
            pass
    assert os.listdir(str(tmp_path)) == []


def test_a_full_disk_leaves_nothing(tmp_path):
    noise = np.random.RandomState(0).randint(0, 256, (120, 120, 3)).astype(np.uint8)
    with small_disk(tmp_path / "disk", 16) as disk:
        for form in FORMS[:3]:
            with pytest.raises(OSError, match="No space left"):
                _write(disk / "a", noise, form)
            assert os.listdir(str(disk)) == []


def test_jpeg_is_one_for_other_decoders(tmp_path):
    cv2 = pytest.importorskip("cv2")
    _write(tmp_path / "a.jpg", _pixels(3), ResultFormat("jpeg", 97))
    decoded = cv2.imread(str(tmp_path / "a.jpg"), cv2.IMREAD_COLOR)[..., ::-1]
    assert np.abs(decoded.astype(int) - _pixels(3)).mean() < 4
    with Image.open(io.BytesIO((tmp_path / "a.jpg").read_bytes())) as image:
        assert image.getexif()[0x0131].startswith("bsrn_estimator {")
