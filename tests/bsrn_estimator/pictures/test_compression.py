"""Which files have lost detail, by what Pillow wrote and by headers that lie."""

import io
import os

import numpy as np
import pytest
from PIL import Image

from bsrn_estimator.pictures.compression import is_lossy


def _file(kind, mode="RGB", **options):
    pixels = np.random.RandomState(3).randint(0, 256, (13, 17, 4)).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(stream, kind, **options)
    return stream.getvalue()


_FRAMES = [Image.new("RGB", (17, 13), colour) for colour in ("red", "blue")]
FILES = [
    (_file("JPEG"), True),
    (_file("JPEG", "L", quality=100), True),
    (_file("JPEG", "CMYK"), True),
    (_file("WEBP", quality=90), True),
    # VP8X in front: alpha, a profile, an animation.
    (_file("WEBP", "RGBA", quality=90), True),
    (_file("WEBP", quality=90, icc_profile=b"odd"), True),
    (_file("WEBP", quality=90, save_all=True, append_images=_FRAMES), True),
    (_file("WEBP", lossless=True), False),
    (_file("WEBP", "RGBA", lossless=True), False),
    (_file("WEBP", lossless=True, icc_profile=b"odd"), False),
    (_file("WEBP", lossless=True, save_all=True, append_images=_FRAMES), False),
    (_file("PNG"), False),
    (_file("TIFF", compression="jpeg"), False),
    (_file("GIF"), False),
    (b"", False),
    (b"RIFF\x10\0\0\0WEBP", False),
    (b"RIFF\x10\0\0\0WEBPVP8", False),
    (b"RIFF\x10\0\0\0WAVEVP8 \0\0\0\0", False),
    (b"RIFF\x10\0\0\0WEBPVP8X\xff\xff\xff\xffVP8 ", False),
    (b"RIFF\x10\0\0\0WEBP" + b"ICCP\0\0\0\0" * 10**5 + b"VP8 \0\0\0\0", False),
]


@pytest.mark.parametrize("index", range(len(FILES)))
def test_bytes_and_files(index, tmp_path):
    content, expected = FILES[index]
    assert is_lossy(content) is expected
    path = tmp_path / "a.png"  # a name says nothing
    path.write_bytes(content)
    assert is_lossy(str(path)) is is_lossy(path) is expected


def test_what_cannot_be_read_is_not_lossy(tmp_path):
    assert not is_lossy(str(tmp_path / "nowhere.jpg"))
    assert not is_lossy(str(tmp_path))
    os.mkfifo(str(tmp_path / "pipe.jpg"))
    assert not is_lossy(str(tmp_path / "pipe.jpg"))
