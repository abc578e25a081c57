"""Pictures of every kind, against the arrays that they were made from."""

import io
import os
import struct
import time
import zlib

import cv2
import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
from PIL import Image, ImageCms

from bsrn_estimator.errors import UserError
from bsrn_estimator.pictures.imresize import enlarge
from bsrn_estimator.pictures.picture import (
    Picture,
    enlarged_bands,
    enlarged_rows,
    read_picture,
    with_alpha,
)

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def _noise(*shape, dtype=np.uint8, seed=5):
    return np.random.RandomState(seed).randint(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def _save(path, array, mode=None, **kwargs):
    Image.fromarray(array, mode).save(str(path), **kwargs)
    return read_picture(str(path))


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "webp"])
def test_colours(tmp_path, ending):
    rgb = _noise(5, 7, 3)
    kwargs = {"lossless": True} if ending == "webp" else {}
    picture = _save(tmp_path / ("a." + ending), rgb, **kwargs)
    np.testing.assert_array_equal(picture.colours, rgb)
    assert (picture.alpha, picture.icc_profile, picture.bits) == (None, None, 8)


def test_jpeg_as_pillow_decodes_it(tmp_path):
    picture = _save(tmp_path / "a.jpg", _noise(9, 7, 3))
    np.testing.assert_array_equal(picture.colours, np.asarray(Image.open(str(tmp_path / "a.jpg"))))


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "tif"])
def test_grey_has_one_channel(tmp_path, ending):
    grey = np.full((6, 5), 77, np.uint8)
    picture = _save(tmp_path / ("a." + ending), grey)
    np.testing.assert_array_equal(picture.colours, grey[..., np.newaxis])
    assert picture.rgb().shape == (6, 5, 3)


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_sixteen_bits(tmp_path, ending, channels):
    stored = _noise(5, 7, channels, dtype=np.uint16)
    path = str(tmp_path / ("a." + ending))
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[channels]
    assert cv2.imwrite(path, stored[..., order])
    picture = read_picture(path)
    assert picture.bits == 16
    np.testing.assert_array_equal(picture.colours, stored[..., : min(channels, 3)])
    assert (picture.alpha is None) == (channels != 4)
    if channels == 4:
        np.testing.assert_array_equal(picture.alpha, stored[..., 3:])
    # All 65536 values survive the way through the network's range.
    rgb = picture.rgb()
    assert rgb.dtype == np.float32 and rgb.max() <= 255
    np.testing.assert_allclose(picture.store(rgb), picture.colours, atol=1)


def test_sixteen_bit_grey_with_alpha(tmp_path):
    from bsrn_estimator.pictures.png import PngWriter

    stored = _noise(4, 6, 2, dtype=np.uint16)
    with PngWriter(str(tmp_path / "a.png"), stored.shape, 16) as writer:
        writer.write(stored)
    picture = read_picture(str(tmp_path / "a.png"))
    np.testing.assert_array_equal(picture.colours, stored[..., :1])
    np.testing.assert_array_equal(picture.alpha, stored[..., 1:])


def test_alpha(tmp_path):
    for channels in (2, 4):
        stored = _noise(5, 7, channels)
        stored[..., -1] |= 1  # all of it visible
        picture = _save(tmp_path / "a.png", stored)
        np.testing.assert_array_equal(picture.colours, stored[..., :-1])
        np.testing.assert_array_equal(picture.alpha, stored[..., -1:])


def test_palettes(tmp_path):
    indices = _noise(5, 7) % 3
    image = Image.fromarray(indices, "P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90])
    image.save(str(tmp_path / "a.png"))
    picture = read_picture(str(tmp_path / "a.png"))
    colours = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90]])[indices]
    np.testing.assert_array_equal(picture.colours, colours)
    image.save(str(tmp_path / "b.png"), transparency=1)
    picture = read_picture(str(tmp_path / "b.png"))
    np.testing.assert_array_equal(picture.alpha[..., 0], np.where(indices == 1, 0, 255))
    image.putpalette([9, 9, 9, 50, 50, 50, 200, 200, 200])
    image.save(str(tmp_path / "c.png"))
    np.testing.assert_array_equal(
        read_picture(str(tmp_path / "c.png")).colours,
        np.array([9, 50, 200])[indices][..., None],
    )


def test_black_and_white_cmyk_and_transparent_colour(tmp_path):
    bits = _noise(5, 7) > 127
    Image.fromarray(bits).save(str(tmp_path / "a.png"))
    np.testing.assert_array_equal(read_picture(str(tmp_path / "a.png")).colours[..., 0], bits * 255)
    Image.new("CMYK", (4, 3), (0, 255, 255, 0)).save(str(tmp_path / "b.jpg"), icc_profile=_SRGB)
    picture = read_picture(str(tmp_path / "b.jpg"))
    assert picture.colours.shape == (3, 4, 3)
    assert picture.colours[0, 0, 0] > 200 > 60 > picture.colours[0, 0, 1]
    rgb = np.zeros((2, 2, 3), np.uint8)
    rgb[0, 0] = (1, 2, 3)
    picture = _save(tmp_path / "c.png", rgb, transparency=(1, 2, 3))
    assert picture.alpha[..., 0].tolist() == [[0, 255], [255, 255]]


def test_profiles_are_kept_where_they_fit(tmp_path):
    for ending in ("png", "jpg", "tif", "webp"):
        picture = _save(tmp_path / ("a." + ending), _noise(4, 4, 3), icc_profile=_SRGB)
        assert picture.icc_profile == _SRGB, ending
    assert _save(tmp_path / "b.png", _noise(4, 4), icc_profile=_SRGB).icc_profile is None


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "tif", "png", "webp"])
def test_orientation(tmp_path, orientation, ending):
    path = str(tmp_path / ("a." + ending))
    exif = Image.Exif()
    exif[0x0112] = orientation
    kwargs = {"lossless": True} if ending == "webp" else {}
    stored = np.kron(_noise(3, 4, 3), np.ones((8, 8, 1), np.uint8))
    Image.fromarray(stored).save(path, exif=exif, **kwargs)
    if ending == "jpg":
        stored = cv2.imread(path, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)[..., ::-1]
    # Exif 2.3: where row 0 and column 0 of what is stored lie when it is shown.
    mirrored = stored[:, ::-1]
    shown = {
        1: stored,
        2: mirrored,
        3: np.rot90(stored, 2),
        4: np.rot90(mirrored, 2),
        5: np.rot90(mirrored, 1),
        6: np.rot90(stored, -1),
        7: np.rot90(mirrored, -1),
        8: np.rot90(stored, 1),
    }[orientation]
    colours = read_picture(path).colours
    assert colours.shape == shown.shape
    # Two decoders of JPEG may round differently.
    assert np.abs(colours.astype(int) - shown).max() <= (3 if ending == "jpg" else 0)


@pytest.mark.parametrize("orientation", [1, 3, 6])
def test_orientation_of_sixteen_bits(tmp_path, orientation):
    stored = _noise(3, 5, 3, dtype=np.uint16)
    ok, encoded = cv2.imencode(".png", stored[..., ::-1])
    assert ok
    encoded = encoded.tobytes()
    exif = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01" + struct.pack(">HH", orientation, 0)
    path = tmp_path / "a.png"
    path.write_bytes(encoded[:33] + _chunk(b"eXIf", exif + b"\0\0\0\0") + encoded[33:])
    turns = {1: 0, 3: 2, 6: -1}[orientation]
    np.testing.assert_array_equal(read_picture(str(path)).colours, np.rot90(stored, turns))


def _chunk(name, content):
    checksum = zlib.crc32(name + content) & 0xFFFFFFFF
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", checksum)


def test_animations_and_pages_are_refused(tmp_path):
    frames = [Image.fromarray(_noise(4, 4, 3, seed=n)) for n in range(3)]
    for ending in ("png", "webp", "tif"):
        path = str(tmp_path / ("a." + ending))
        frames[0].save(path, save_all=True, append_images=frames[1:])
        with pytest.raises(
            UserError, match=r"a\.%s is animated or has pages \(3 frames\)" % ending
        ):
            read_picture(path)


def test_phone_pictures_with_a_preview_are_taken(tmp_path):
    frames = [Image.fromarray(_noise(16, 16, 3, seed=n)) for n in range(2)]
    try:
        frames[0].save(str(tmp_path / "a.jpg"), "MPO", save_all=True, append_images=frames[1:])
    except (KeyError, ValueError, OSError):
        pytest.skip("this Pillow cannot write such a file")
    assert read_picture(str(tmp_path / "a.jpg")).colours.shape == (16, 16, 3)


def test_floats_and_wide_integers_are_refused(tmp_path):
    with pytest.raises(UserError, match="floating-point"):
        _save(tmp_path / "a.tif", np.ones((3, 3), np.float32))
    with pytest.raises(UserError, match="32-bit"):
        _save(tmp_path / "b.tif", np.full((3, 3), 70000, np.int32))


def test_what_is_no_file(tmp_path):
    os.mkfifo(str(tmp_path / "pipe.png"))
    os.symlink(str(tmp_path / "loop.png"), str(tmp_path / "loop.png"))
    os.symlink("/dev/zero", str(tmp_path / "zero.png"))
    (tmp_path / "a\nb.png").write_bytes(b"no picture")
    started = time.time()
    for name in ("pipe.png", "loop.png", "zero.png", "none.png", "a\nb.png", "."):
        with pytest.raises(UserError) as caught:
            read_picture(str(tmp_path / name))
        assert "\n" not in str(caught.value) and str(tmp_path) in str(caught.value)
    assert time.time() - started < 5


def _encoded(ending):
    file = io.BytesIO()
    Image.fromarray(_noise(12, 9, 3)).save(file, {"jpg": "JPEG", "tif": "TIFF"}.get(ending, ending))
    return file.getvalue()


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "tif", "webp"])
@hypothesis.settings(max_examples=25)
@hypothesis.given(data=st.data())
def test_damaged_files_are_an_error_or_a_picture(tmp_path_factory, ending, data):
    content = bytearray(_encoded(ending))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    for _ in range(data.draw(st.integers(0, 4))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(
                st.integers(0, 7)
            )
    path = tmp_path_factory.getbasetemp() / ("damaged." + ending)
    path.write_bytes(bytes(content))
    try:
        picture = read_picture(str(path), max_pixels=10000)
        assert picture.colours.shape[0] * picture.colours.shape[1] <= 10000
    except UserError as error:
        assert str(path) in str(error)


def test_a_bomb_is_refused_from_its_header(tmp_path):
    bomb = _encoded("png")
    header = _chunk(b"IHDR", struct.pack(">II", 50000, 3000) + bomb[24:29])
    (tmp_path / "a.png").write_bytes(bomb[:8] + header + bomb[33:])
    with pytest.raises(UserError, match=r"a\.png .*pixels"):
        read_picture(str(tmp_path / "a.png"))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_bicubic_in_bands_is_that_of_the_whole(dtype, scale):
    pixels = _noise(23, 9, 3, dtype=dtype)
    whole = enlarge(pixels.astype(np.float64) if dtype == np.uint16 else pixels, scale)
    whole = np.clip(np.rint(whole), 0, np.iinfo(dtype).max)
    bands = list(enlarged_bands(pixels, scale, rows=5))
    assert [len(band) for band in bands] == [5 * scale] * 4 + [3 * scale]
    np.testing.assert_array_equal(np.concatenate(bands), whole)


def test_alpha_goes_behind_the_colours():
    picture = Picture(_noise(4, 5, 3), _noise(4, 5, 1, seed=1))
    colours = _noise(4, 10, 3)
    rows = with_alpha(colours, picture, 2, 1, 3)
    np.testing.assert_array_equal(rows[..., :3], colours)
    np.testing.assert_array_equal(rows[..., 3:], enlarge(picture.alpha, 2)[2:6])
    opaque = picture._replace(alpha=None)
    assert with_alpha(colours, opaque, 2, 1, 3) is colours


def test_grey_of_the_network():
    picture = Picture(np.zeros((1, 1, 1), np.uint8))
    stored = picture.store(np.array([[[100.4, 100.4, 100.4], [300, 300, 300], [255, 0, 0]]], "f4"))
    assert stored.tolist() == [[[100], [255], [76]]]


@pytest.mark.parametrize("channels", [2, 4])
def test_colours_under_full_transparency_go_on_from_what_is_visible(tmp_path, channels):
    stored = np.zeros((9, 11, channels), np.uint8)
    stored[2:6, 3:8] = 200
    stored[2, 3, -1] = 1  # hardly visible, yet it is
    picture = _save(tmp_path / "a.png", stored)
    assert (picture.colours == 200).all() and picture.rgb().min() == 200
    np.testing.assert_array_equal(picture.alpha, stored[..., -1:])
    assert (enlarged_rows(picture.colours, 3, 0, 9) == 200).all()


def test_the_first_frame(tmp_path):
    frames = [Image.fromarray(_noise(4, 4, 3, seed=n)) for n in range(3)]
    path = str(tmp_path / "a.tif")
    frames[0].save(path, save_all=True, append_images=frames[1:])
    picture = read_picture(path, first_frame=True)
    np.testing.assert_array_equal(picture.colours, np.asarray(frames[0]))
