"""Every kind of picture through the call, beside predict's file of it; and what is no picture."""

import importlib.util
import io

import cv2
import numpy as np
import pytest
from PIL import Image

from bsrn_estimator.api.upscaler import Upscaler
from bsrn_estimator.engines.choice import Wish
from bsrn_estimator.errors import UserError
from bsrn_estimator.inference import finding, predict
from bsrn_estimator.inference.options import PredictOptions
from bsrn_estimator.platforms.options import RunOptions
from tests.support import tiny

ENGINE = "onnxruntime" if importlib.util.find_spec("onnxruntime") else "tensorflow"
HEIGHT, WIDTH, SCALE = 11, 14, 2
RGB = tiny.picture(3, HEIGHT, WIDTH)
GREY = RGB[..., 1]
# Hidden in a corner, half seen in another.
ALPHA = np.full((HEIGHT, WIDTH), 255, np.uint8)
ALPHA[:4, :5], ALPHA[7:, 9:] = 0, 90
RGBA = np.dstack([RGB, ALPHA])
PROFILE = b"odd bytes here, " + b"RGB " + b"and more of them" * 9


def _palette(**info):
    image = Image.fromarray(RGB).quantize(20)
    image.info.update(info)
    return image


def _turned(tag):
    image, exif = Image.fromarray(RGB), Image.Exif()
    exif[0x0112] = tag
    return _reopened(image, exif=exif)


def _reopened(image, **options):
    stream = io.BytesIO()
    image.save(stream, "PNG", **options)
    return Image.open(stream)


def deep(array):
    return (array.astype(np.uint16) * 257 - 40 * (array > 3)).astype(np.uint16)


# By name: what is given, and the mode of what comes back of a picture of Pillow.
IMAGES = {
    "1": (Image.fromarray(GREY).convert("1"), "L"),
    "L": (Image.fromarray(GREY), "L"),
    "LA": (Image.fromarray(RGBA).convert("LA"), "LA"),
    "P": (_palette(), "RGB"),
    "P-transparent": (_palette(transparency=3), "RGBA"),
    "P-grey": (Image.fromarray(GREY).convert("P"), "L"),
    "RGB": (Image.fromarray(RGB), "RGB"),
    "RGB-transparent": (_reopened(Image.fromarray(RGB), transparency=(9, 9, 9)), "RGBA"),
    "RGBA": (Image.fromarray(RGBA), "RGBA"),
    "I16": (Image.fromarray(deep(GREY)), "I;16"),
    "I": (Image.fromarray(deep(GREY).astype(np.int32)), "I"),
    "profile": (_reopened(Image.fromarray(RGB), icc_profile=PROFILE), "RGB"),
    "turned-6": (_turned(6), "RGB"),
    "turned-7": (_turned(7), "RGB"),
    "CMYK": (Image.fromarray(RGB).convert("CMYK"), "RGB"),
}
ARRAYS = {
    "grey": GREY,
    "grey-axis": GREY[..., np.newaxis],
    "colour": RGB,
    "alpha": RGBA,
}
ARRAYS.update({"deep-" + name: deep(array) for name, array in ARRAYS.items()})
# As float32 and float64; predict is given the same with 16 bits.
FLOATS = {"float-" + name[5:]: ARRAYS[name] for name in ARRAYS if name.startswith("deep-")}


def _save(folder, name, picture):
    """Saves a picture as predict is to read it; returns the path."""
    if name == "CMYK":  # which a PNG does not hold
        picture.save(str(folder / (name + ".tif")))
        return str(folder / (name + ".tif"))
    path = str(folder / (name + ".png"))
    if isinstance(picture, Image.Image):
        exif = {"exif": picture.getexif()} if name.startswith("turned") else {}
        if picture.mode == "I":  # which newer releases of Pillow do not write
            picture = Image.fromarray(np.asarray(picture).astype(np.uint16))
        info = {"icc_profile": PROFILE} if name == "profile" else {}
        if "transparency" in picture.info:
            info["transparency"] = picture.info["transparency"]
        picture.save(path, **exif, **info)
    else:
        channels = picture.shape[2] if picture.ndim == 3 else 1
        cv2.imwrite(path, picture[..., [2, 1, 0, 3][:channels]] if channels > 1 else picture)
    return path


@pytest.fixture(scope="module")
def upscaler():
    with Upscaler("clean", ENGINE, threads=1, precision="float32") as upscaler:
        yield upscaler


@pytest.fixture(scope="module")
def predicted(tmp_path_factory):
    """The path of predict's file of each picture, by name."""
    folder = tmp_path_factory.mktemp("predicted")
    (folder / "in").mkdir()
    for name, picture in dict(ARRAYS, **{name: one for name, (one, _) in IMAGES.items()}).items():
        _save(folder / "in", name, picture)
    options = PredictOptions(
        input=str(folder / "in"), output_dir=str(folder), checkpoint="clean", scales=(SCALE,)
    )

    def find(wanted):
        wish = Wish(ENGINE, mixed=False, threads=1)
        return finding.find(wanted, wish, _platform, RunOptions(threads=1))

    assert predict.run(options, find) == 0
    return {path.stem: str(path) for path in (folder / "x2").iterdir()}


def _platform():
    from bsrn_estimator.platforms.cpu import CpuPlatform

    return CpuPlatform()


def _read(path):
    """An array as predict wrote it, RGB."""
    values = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    return values if values.ndim == 2 else values[..., [2, 1, 0, 3][: values.shape[2]]]


@pytest.mark.parametrize("name", sorted(ARRAYS))
def test_arrays_are_what_predict_writes(upscaler, predicted, name):
    array = ARRAYS[name]
    before = array.copy()
    result = upscaler(array, scale=SCALE)
    assert result.shape == (SCALE * HEIGHT, SCALE * WIDTH) + array.shape[2:]
    assert result.dtype == array.dtype
    np.testing.assert_array_equal(result.squeeze(), _read(predicted[name]))
    np.testing.assert_array_equal(array, before)
    if array.ndim == 3 and array.shape[2] > 1:
        order = [2, 1, 0, 3][: array.shape[2]]
        turned = upscaler(array[..., order], scale=SCALE, bgr=True)
        np.testing.assert_array_equal(turned[..., order], result)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", sorted(FLOATS))
def test_floating_point_is_what_predict_writes_with_16_bits(upscaler, predicted, name, dtype):
    array = (FLOATS[name] / 65535.0).astype(dtype)
    result = upscaler(array, scale=SCALE)
    assert result.dtype == dtype and result.shape[2:] == array.shape[2:]
    assert result.min() >= 0 and result.max() <= 1
    expected = _read(predicted["deep-" + name[6:]])
    # With whole numbers what goes on under transparency is rounded before it is upscaled, too.
    assert np.abs(65535 * result.squeeze() - expected).max() < (2 if "alpha" in name else 1)
    # It is not rounded.
    assert np.abs(65535 * result - np.rint(65535 * result)).max() > 0.1


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_pictures_of_pillow_are_what_predict_writes(upscaler, predicted, tmp_path, name):
    image, mode = IMAGES[name]
    with Image.open(predicted[name]) as file:
        expected, profile = np.asarray(file), file.info.get("icc_profile")
    results = [upscaler(image, scale=SCALE)]
    if name != "I":  # a file says I;16, or in older releases of Pillow I
        results.append(upscaler(_save(tmp_path, name, image), scale=SCALE))
    for result in results:
        assert result.mode == mode
        assert result.info.get("icc_profile") == profile
        np.testing.assert_array_equal(np.asarray(result), expected)
    sides = (WIDTH, HEIGHT) if name.startswith("turned") else (HEIGHT, WIDTH)
    assert results[0].size == (SCALE * sides[1], SCALE * sides[0])
    if name == "profile":
        results[0].save(str(tmp_path / "kept.png"))
        with Image.open(str(tmp_path / "kept.png")) as kept:
            assert kept.info["icc_profile"] == PROFILE


def test_what_is_not_upright_in_memory():
    order = Image.fromarray(deep(GREY).astype(">u2"))
    assert order.mode == "I;16B"
    with Upscaler("clean", ENGINE, precision="float32") as upscaler:
        result = upscaler(order, SCALE)
        assert result.mode == "I;16B"
        expected = upscaler(deep(GREY), SCALE)
        np.testing.assert_array_equal(np.asarray(result), expected)
        np.testing.assert_array_equal(upscaler(deep(GREY).astype(">u2"), SCALE), expected)
        np.testing.assert_array_equal(upscaler(deep(GREY)[::-1], SCALE).shape, expected.shape)


@pytest.mark.parametrize(
    "picture, words",
    [
        (np.zeros((3, 4, 2), np.uint8), r"array \[3, 4, 2\] is no picture"),
        (np.zeros((2, 3, 4, 3), np.uint8), r"array \[2, 3, 4, 3\] is no picture"),
        (np.zeros((0, 4, 3), np.uint8), r"array \[0, 4, 3\] is no picture"),
        (np.zeros((3, 4), np.int64), "array of int64 is no picture"),
        (np.zeros((3, 4), bool), "array of bool is no picture"),
        (np.full((3, 4), 255.0), "from 255 to 255, and floating point is taken from 0 to 1"),
        (np.full((3, 4), -0.1, np.float32), "from -0.1 to -0.1"),
        (np.full((3, 4), np.nan), "from nan to nan"),
        (Image.new("F", (3, 4)), "the picture holds floating-point pixels"),
        (Image.fromarray(np.full((3, 4), 70000, np.int32)), "the picture holds 32-bit pixels"),
        (Image.new("L", (0, 3)), "the picture has no pixels"),
        ("nowhere.png", "nowhere.png cannot be opened"),
        ([[1, 2], [3, 4]], "a picture is an array of numpy, a picture of Pillow or a path, not li"),
        (None, "not NoneType"),
    ],
    ids=range(14),
)
def test_what_is_no_picture(upscaler, picture, words):
    with pytest.raises(UserError, match=words):
        upscaler(picture, scale=2)


def test_what_cannot_be_given_back(upscaler, tmp_path):
    with pytest.raises(UserError, match="bgr=True is for arrays"):
        upscaler(Image.fromarray(RGB), 2, bgr=True)
    with pytest.raises(UserError, match="holds 16 bits of colour"):
        upscaler(_save(tmp_path, "deep", deep(RGB)), 2)
