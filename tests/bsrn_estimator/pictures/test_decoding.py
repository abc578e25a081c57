"""Every kind of picture file becomes 8-bit RGB, and what is wrong with one is said plainly."""

import io
import os
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bsrn_estimator.errors import UserError
from bsrn_estimator.pictures import decoding
from bsrn_estimator.pictures.decoding import (
    EXTENSIONS,
    decode,
    open_checked,
    picture_size,
    read_rgb,
)

COLOUR = np.random.RandomState(0).randint(0, 256, (7, 11, 3)).astype(np.uint8)
GREY = COLOUR[:, :, 0]


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def of(array, kind="PNG", **options):
    return saved(Image.fromarray(array), kind, **options)


def with_cv2(array, extension=".png"):
    return cv2.imencode(extension, array)[1].tobytes()


def three(grey):
    return np.repeat(grey[:, :, np.newaxis], 3, axis=2)


ALPHA = np.dstack([COLOUR, GREY])
DEEP = (np.random.RandomState(1).randint(0, 65536, (7, 11, 4))).astype(np.uint16)
ROUNDED = np.rint(DEEP / 257.0).astype(np.uint8)
PALETTE = Image.fromarray(COLOUR).quantize(16)


@pytest.mark.parametrize(
    "content, expected",
    [
        (of(COLOUR), COLOUR),
        (of(COLOUR, "BMP"), COLOUR),
        (of(COLOUR, "TIFF", compression="tiff_lzw"), COLOUR),
        (of(COLOUR, "WEBP", lossless=True), COLOUR),
        (of(GREY), three(GREY)),
        (of(GREY, "TIFF"), three(GREY)),
        (saved(Image.fromarray(GREY > 99), "PNG"), three((GREY > 99).astype(np.uint8) * 255)),
        (of(np.dstack([GREY, GREY[::-1]])), three(GREY)),
        (of(ALPHA), COLOUR),
        (of(ALPHA, "TIFF"), COLOUR),
        (saved(PALETTE, "PNG"), np.asarray(PALETTE.convert("RGB"))),
        (saved(PALETTE, "PNG", transparency=3), np.asarray(PALETTE.convert("RGB"))),
        (with_cv2(DEEP[:, :, 0]), three(ROUNDED[:, :, 0])),
        (with_cv2(DEEP[:, :, 0], ".tiff"), three(ROUNDED[:, :, 0])),
        (with_cv2(DEEP[:, :, 2::-1]), ROUNDED[:, :, :3]),
        (with_cv2(DEEP[:, :, [2, 1, 0, 3]]), ROUNDED[:, :, :3]),
    ],
    ids="rgb bmp tiff webp grey greytiff bilevel greyalpha rgba rgbatiff palette palettealpha "
    "grey16 greytiff16 rgb16 rgba16".split(),
)
def test_kinds_of_pictures(content, expected):
    picture = read_rgb(content)
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(picture, expected)
    assert picture_size(content) == (7, 11)


def test_jpeg_colour_grey_and_cmyk():
    smooth = np.linspace(0, 255, 16 * 24).reshape(16, 24).astype(np.uint8)
    for image in (Image.fromarray(smooth), Image.fromarray(three(smooth))):
        np.testing.assert_allclose(
            read_rgb(saved(image, "JPEG", quality=95)).astype(int), three(smooth), atol=6
        )
    cmyk = Image.fromarray(three(smooth)).convert("CMYK")
    assert read_rgb(saved(cmyk, "JPEG", quality=95)).shape == (16, 24, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(kind, orientation):
    image = Image.fromarray(np.kron(COLOUR, np.ones((8, 8, 1))).astype(np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}
    # Pillow 9 writes the tags of a TIFF through `tiffinfo` alone.
    tags = {"tiffinfo": {0x0112: orientation}} if kind == "TIFF" else {"exif": exif.tobytes()}
    content = saved(image, kind, **tags, **options.get(kind, {}))
    upright = {
        1: lambda a: a,
        2: np.fliplr,
        3: lambda a: np.rot90(a, 2),
        4: np.flipud,
        5: lambda a: a.transpose(1, 0, 2),
        6: lambda a: np.rot90(a, -1),
        7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
        8: np.rot90,
    }[orientation](np.asarray(image))
    picture = read_rgb(content)
    assert picture.shape == upright.shape == picture_size(content) + (3,)
    assert np.abs(picture.astype(int) - upright).max() <= (4 if kind == "JPEG" else 0)


def test_files_by_path(tmp_path):
    kinds = {".tif": "TIFF", ".tiff": "TIFF", ".bmp": "BMP", ".webp": "WEBP", ".gif": "GIF"}
    kinds.update({".png": "PNG", ".apng": "PNG"})
    for extension in EXTENSIONS:
        path = tmp_path / ("a" + extension)
        path.write_bytes(of(COLOUR, kinds.get(extension, "JPEG")))
        assert read_rgb(path).shape == read_rgb(str(path)).shape == (7, 11, 3)
    deep = tmp_path / "deep.png"
    deep.write_bytes(with_cv2(DEEP[:, :, 2::-1]))
    np.testing.assert_array_equal(read_rgb(deep), ROUNDED[:, :, :3])


def bomb(width, height):
    """A PNG of a few bytes whose header announces width x height pixels."""

    def chunk(kind, data):
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"x") + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [10000, 30000, 2**31 - 1])
def test_decompression_bomb_is_refused_by_its_header(side):
    for use in (read_rgb, picture_size, open_checked):
        with pytest.raises(UserError, match="announces more than .* pixels"):
            use(bomb(side, side))
    with pytest.raises(UserError, match="more than 76 pixels"):
        read_rgb(of(COLOUR), max_pixels=76)
    assert read_rgb(of(COLOUR), max_pixels=77).shape == (7, 11, 3)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "TIFF", "WEBP"])
def test_cut_short(tmp_path, kind):
    noise = np.random.RandomState(3).randint(0, 256, (60, 50, 3)).astype(np.uint8)
    content = of(noise, kind)
    for part in (0.95, 0.5, 0.02, 0):
        path = tmp_path / "cut.dat"
        path.write_bytes(content[: int(len(content) * part)])
        with pytest.raises(UserError, match="cut.dat"):
            read_rgb(path)


def test_what_is_no_picture(tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    os.mkfifo(str(tmp_path / "pipe.png"))
    for name, message in [
        ("text.png", "text.png is not a picture"),
        ("pipe.png", "pipe.png is not a file"),
        ("absent.png", "absent.png cannot be opened: No such file"),
        (".", "is not a file"),
        ("nul\0.png", "cannot be opened"),
        ("two\nlines.png", r"two\\nlines.png cannot be opened"),
    ]:
        with pytest.raises(UserError, match=message):
            read_rgb(str(tmp_path / name))
    with pytest.raises(UserError, match="floating-point"):
        read_rgb(of(GREY.astype(np.float32), "TIFF"))
    with pytest.raises(UserError, match="32-bit"):
        read_rgb(of(GREY.astype(np.int32) + 70000, "TIFF"))
    with pytest.raises(UserError, match="not a picture"):
        read_rgb(of(COLOUR, "PPM"))


@given(st.data())
def test_damaged_files_give_an_error_or_a_picture(data):
    kind = data.draw(st.sampled_from(["PNG", "JPEG", "BMP", "TIFF", "WEBP"]))
    content = bytearray(of(COLOUR, kind))
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert picture_size(bytes(content), 10000)[0] > 0
        picture = read_rgb(bytes(content), 10000)
    except UserError as error:
        assert "\n" not in str(error)
    else:
        assert picture.dtype == np.uint8 and picture.ndim == 3 and picture.shape[2] == 3


@pytest.mark.parametrize("width", [5, 38, 53, 172, 540, 720])
def test_bmp_whose_rows_take_a_number_of_bytes_with_16_in_it(width):
    pixels = np.random.RandomState(width).randint(0, 256, (3, width, 3)).astype(np.uint8)
    assert "16" in str((3 * width + 3) // 4 * 4)
    np.testing.assert_array_equal(read_rgb(of(pixels, "BMP")), pixels)


def test_tiff_whose_directory_lies_at_an_offset_with_16_in_it(tmp_path):
    path = str(tmp_path / "a.tif")
    for width in range(20, 400):
        pixels = np.random.RandomState(width).randint(0, 256, (30, width, 3)).astype(np.uint8)
        cv2.imwrite(path, pixels)
        with Image.open(path) as image:
            arguments = image.tile[0][3]
        if "16" in str(arguments):
            break
    assert "16" in str(arguments), "no such TIFF was made"
    np.testing.assert_array_equal(read_rgb(path), pixels[..., ::-1])


def test_sixteen_bits_that_are_5_6_and_5():
    # BMP with bit fields: 16 bits a pixel, 8 bits a channel at most.
    values = np.random.RandomState(2).randint(0, 2**16, (4, 6)).astype("<u2")
    header = struct.pack("<IiiHHIIiiII", 40, 6, -4, 1, 16, 3, values.nbytes, 0, 0, 0, 0)
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    start = 14 + len(header) + len(masks)
    file = struct.pack("<2sIHHI", b"BM", start + values.nbytes, 0, 0, start) + header + masks
    red, green, blue = values >> 11, (values >> 5) & 63, values & 31
    expected = np.stack([red * 255 / 31.0, green * 255 / 63.0, blue * 255 / 31.0], -1)
    picture = read_rgb(file + values.tobytes())
    assert picture.dtype == np.uint8 and np.abs(picture - expected).max() < 1


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("extra", [None, 0, 1, 2])
def test_four_samples_of_16_bits_in_tiff(order, extra):
    """ExtraSamples: none given, unspecified, premultiplied alpha, straight alpha."""
    alpha = np.maximum(DEEP[..., 3:], 20000)
    colours = np.minimum(DEEP[..., :3], alpha) if extra == 1 else DEEP[..., :3]
    content = tiff(np.dstack([colours, alpha]), order, extra)
    decoded = decode(content).pixels
    assert decoded.dtype == np.uint16 and decoded.shape[2] == (3 if extra == 0 else 4)
    if extra == 1:
        colours = np.minimum(np.rint(colours * (65535.0 / alpha)), 65535)
    assert np.abs(decoded[..., :3] - colours.astype(int)).max() <= (1 if extra == 1 else 0)
    if extra != 0:
        np.testing.assert_array_equal(decoded[..., 3:], alpha)


def tiff(pixels, order, extra):
    """A TIFF of 16 bits a sample, in one strip, in the byte order that struct calls `order`."""
    height, width, samples = pixels.shape
    data = pixels.astype(order + "u2").tobytes()
    tags = [(256, 4, width), (257, 4, height), (259, 3, 1), (262, 3, 2), (273, 4, 8)]
    tags += [(277, 3, samples), (278, 4, height), (279, 4, len(data)), (284, 3, 1)]
    bits = 8 + len(data)
    tags += [(258, 3, None)] + ([] if extra is None else [(338, 3, extra)])
    directory = struct.pack(order + "H", len(tags))
    for tag, kind, value in sorted(tags):
        if tag == 258:
            directory += struct.pack(order + "HHII", tag, 3, samples, bits)
        elif kind == 3:
            directory += struct.pack(order + "HHIHH", tag, kind, 1, value, 0)
        else:
            directory += struct.pack(order + "HHII", tag, kind, 1, value)
    mark = b"II" if order == "<" else b"MM"
    head = mark + struct.pack(order + "HI", 42, bits + 2 * samples)
    return (
        head + data + struct.pack(order + "%dH" % samples, *[16] * samples) + directory + bytes(4)
    )


def test_gif(tmp_path):
    indices = (GREY // 64).astype(np.uint8)
    image = Image.fromarray(indices, "P")
    image.putpalette([10, 20, 30, 40, 50, 60, 70, 80, 90, 200, 100, 0])
    colours = np.array([[10, 20, 30], [40, 50, 60], [70, 80, 90], [200, 100, 0]])[indices]
    np.testing.assert_array_equal(read_rgb(saved(image, "GIF")), colours)
    pixels = decode(saved(image, "GIF", transparency=1)).pixels
    np.testing.assert_array_equal(pixels[..., 3] == 0, indices == 1)
    second = Image.fromarray(255 - COLOUR)
    moving = saved(Image.fromarray(COLOUR), "GIF", save_all=True, append_images=[second])
    assert np.abs(read_rgb(moving).astype(int) - COLOUR).max() < 90  # a palette, of the first frame
    with pytest.raises(UserError, match=r"2 frames.*--first_frame"):
        decode(moving, several=False)


# The first bytes of files that need a plug-in, as phones and browsers write them.
HEIC_HEAD = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"
AVIF_HEAD = b"\0\0\0\x1cftypmif1\0\0\0\0avifmif1miaf"


@pytest.mark.parametrize("head, kind", [(HEIC_HEAD, "HEIC"), (AVIF_HEAD, "AVIF")])
def test_a_missing_plug_in_is_named_with_its_command(tmp_path, monkeypatch, head, kind):
    path = tmp_path / "a.dat"
    path.write_bytes(head + bytes(50))
    monkeypatch.setattr(decoding, "is_readable", lambda name: False)
    with pytest.raises(UserError, match=r"a.dat is %s, .*pip install 'bsrn-estimator" % kind):
        read_rgb(path)
    monkeypatch.undo()
    with pytest.raises(UserError, match="a.dat is"):  # whether or not a plug-in is there
        read_rgb(path)


@pytest.mark.parametrize("kind", ["HEIF", "AVIF"])
def test_with_the_plug_in(kind):
    if not decoding.is_readable(kind):
        pytest.skip("no plug-in for %s is installed" % kind)
    smooth = np.linspace(0, 255, 64 * 48).reshape(48, 64).astype(np.uint8)
    pixels = np.dstack([smooth, smooth.T.reshape(48, 64), 255 - smooth])
    pixels = cv2.GaussianBlur(pixels, (0, 0), 3)
    try:
        content = of(pixels, kind, quality=95)
    except (KeyError, OSError, RuntimeError):
        pytest.skip("this plug-in writes no %s" % kind)
    assert picture_size(content) == (48, 64)
    assert np.abs(read_rgb(content).astype(int) - pixels).mean() < 4
    with pytest.raises(UserError):
        read_rgb(content[: len(content) // 2])
