"""The PNG writer against decoders that are not ours."""

import io
import os
import resource
import signal

import cv2
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from PIL import Image

from bsrn_estimator.pictures import png


def _pixels(height, width, channels, bits, seed=0):
    """Noise over a ramp, so that every filter has rows where it wins."""
    random = np.random.RandomState(seed)
    top = 2**bits - 1
    ramp = np.linspace(0, top, height * width * channels).reshape(height, width, channels)
    noise = random.randint(0, top + 1, (height, width, channels))
    noise[: height // 2] = 0
    return ((ramp + noise) % (top + 1)).astype(np.uint8 if bits == 8 else np.uint16)


def _write(path, pixels, splits=(), **kwargs):
    bits = 8 * pixels.dtype.itemsize
    with png.PngWriter(str(path), pixels.shape, bits, **kwargs) as writer:
        for band in np.split(pixels, splits):
            writer.write(band)


@hypothesis.settings(max_examples=40, deadline=None)
@hypothesis.given(
    height=st.integers(1, 70),
    width=st.integers(1, 40),
    channels=st.integers(1, 4),
    bits=st.sampled_from([8, 16]),
    split=st.integers(0, 70),
)
def test_decodes_to_the_same_pixels(tmp_path_factory, height, width, channels, bits, split):
    path = tmp_path_factory.getbasetemp() / "one.png"
    pixels = _pixels(height, width, channels, bits)
    _write(path, pixels, [min(split, height)])
    decoded = cv2.imread(str(path), cv2.IMREAD_UNCHANGED).reshape(height, width, -1)
    if channels == 2:
        decoded = decoded[..., [0, -1]]
    elif channels > 2:
        decoded = decoded[..., [2, 1, 0, 3][:channels]]
    np.testing.assert_array_equal(decoded, pixels)


def test_profile_and_text_are_there_for_others(tmp_path):
    path = tmp_path / "a.png"
    _write(path, _pixels(3, 5, 3, 8), icc_profile=b"p" * 200, texts={"key": "a value"})
    with Image.open(str(path)) as image:
        assert image.info["icc_profile"] == b"p" * 200
        assert image.info["key"] == "a value"
    assert png.text_of(str(path), "key") == "a value"
    assert png.text_of(str(path), "other") is None
    assert png.text_of(str(tmp_path / "none.png"), "key") is None


@pytest.mark.parametrize("cut", [0, 7, 20, 40, 50])
def test_a_cut_file_has_no_text(tmp_path, cut):
    path = tmp_path / "a.png"
    _write(path, _pixels(3, 5, 3, 8), texts={"key": "a value"})
    path.write_bytes(path.read_bytes()[:cut])
    assert png.text_of(str(path), "key") is None


def test_nothing_is_left_of_a_failed_picture(tmp_path):
    path = tmp_path / "a.png"
    with pytest.raises(RuntimeError):
        with png.PngWriter(str(path), (4, 4, 3)):
            assert os.listdir(str(tmp_path)) == ["a.png.incomplete"]
            raise RuntimeError
    assert os.listdir(str(tmp_path)) == []
    for wrong in (np.zeros((4, 4, 3), np.uint16), np.zeros((4, 5, 3), np.uint8)):
        with pytest.raises(ValueError, match="do not fit"), png.PngWriter(
            str(path), (4, 4, 3)
        ) as f:
            f.write(wrong)
    with pytest.raises(ValueError, match="0 rows of 4"), png.PngWriter(str(path), (4, 4, 3)):
        pass
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_every_level_gives_the_same_pixels(tmp_path, level):
    ramp = np.add.outer(np.arange(67), np.arange(40)).astype(np.uint8)[..., np.newaxis]
    _write(tmp_path / "a.png", ramp, [13], level=level)
    np.testing.assert_array_equal(np.asarray(Image.open(str(tmp_path / "a.png"))), ramp[..., 0])
    size = os.path.getsize(str(tmp_path / "a.png"))
    assert size > ramp.size if level == 0 else size < ramp.size / 2


def test_what_goes_wrong_in_the_thread_is_raised(tmp_path):
    pixels = _pixels(600, 400, 3, 8)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
        with pytest.raises(OSError, match="File too large"):
            _write(tmp_path / "a.png", pixels, [200, 400], level=0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, former)
    assert os.listdir(str(tmp_path)) == []


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path):
    target = tmp_path / "precious"
    target.write_text("precious")
    for name in ("a.png", "a.png.incomplete"):
        os.symlink(str(target), str(tmp_path / name))
    _write(tmp_path / "a.png", _pixels(2, 2, 1, 8))
    assert target.read_text() == "precious"
    assert Image.open(io.BytesIO((tmp_path / "a.png").read_bytes())).size == (2, 2)


def test_smooth_pictures_get_smaller_than_pillow_makes_them(tmp_path):
    ramp = np.add.outer(np.arange(300), np.arange(400)) % 256
    pixels = np.stack([ramp, ramp // 2, 255 - ramp], -1).astype(np.uint8)
    _write(tmp_path / "a.png", pixels, level=6)
    Image.fromarray(pixels).save(str(tmp_path / "b.png"))
    assert (tmp_path / "a.png").stat().st_size < 1.1 * (tmp_path / "b.png").stat().st_size


def test_the_checksum_vouches_for_the_whole_file(tmp_path):
    path = tmp_path / "a.png"
    pixels = _pixels(40, 30, 3, 8)
    _write(path, pixels, texts={"key": "a value"})
    content = path.read_bytes()
    assert png.is_whole(str(path))
    with Image.open(str(path)) as image:
        np.testing.assert_array_equal(np.asarray(image), pixels)
    for spoilt in (content[:-1], content[:-12], content[:60], b"", content + b"x"):
        path.write_bytes(spoilt)
        assert not png.is_whole(str(path))
    middle = len(content) // 2
    path.write_bytes(content[:middle] + bytes(9) + content[middle + 9 :])
    assert not png.is_whole(str(path))
    # Without texts there is nothing to vouch for.
    _write(path, pixels)
    assert not png.is_whole(str(path)) and b"tEXt" not in path.read_bytes()
    assert not png.is_whole(str(tmp_path / "none.png"))
