"""POST /upscale on a real server: what it takes, what it keeps, what it gives."""

import io
import shutil
import subprocess

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms

from bsrn_estimator.pictures.imresize import enlarge
from tests.bsrn_estimator.serve.support import file_of, pixels, random_picture, same

PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def test_upscale_answers_with_the_networks_picture(server, expected):
    lr = random_picture(1, 13, 17)
    status, headers, body = server.ask("/upscale?scale=3", file_of(lr))
    assert (status, headers["Content-Type"]) == (200, "image/png")
    assert "network;dur=" in headers["Server-Timing"]
    assert same(pixels(body), expected.uint8(lr, 3))


def test_upscale_takes_each_format_and_gives_each(server, expected):
    lr = random_picture(2, 9, 12)
    for name, options in (("BMP", {}), ("TIFF", {}), ("WEBP", {"lossless": True})):
        body = server.ask("/upscale?scale=2&format=webp", file_of(lr, name, **options))[2]
        assert body[8:12] == b"WEBP"
        assert same(pixels(body), expected.uint8(lr, 2))
    still, file = Image.fromarray(lr).quantize(16), io.BytesIO()
    still.save(file, "GIF")
    body = server.ask("/upscale?scale=2", file.getvalue())[2]
    assert same(pixels(body), expected.uint8(np.asarray(still.convert("RGB")), 2))
    jpeg = file_of(lr, "JPEG")
    status, headers, body = server.ask("/upscale?scale=2&format=jpeg", jpeg)
    assert (status, headers["Content-Type"]) == (200, "image/jpeg")
    assert pixels(body).shape == (18, 24, 3)


def test_upscale_takes_8_bit_files_whose_structure_has_a_16_in_it(server, expected):
    """Rows of 516 bytes in a BMP, a directory at an offset with those digits in a TIFF."""
    files = [file_of(random_picture(18, 27, 172), "BMP")]
    files += [cv2.imencode(".tif", random_picture(18, 30, w))[1].tobytes() for w in range(20, 400)]
    told = [str(Image.open(io.BytesIO(file)).tile[0][3]) for file in files]
    files = [file for file, text in zip(files, told) if "16" in text]
    assert len(files) > 2
    for file in files[:5]:
        status, _, body = server.ask("/upscale?scale=2", file)
        assert status == 200, body
        assert same(pixels(body), expected.uint8(pixels(file), 2))


def test_upscale_of_many_tiles_is_the_untiled_picture(server, expected):
    lr = random_picture(3, 150, 131)
    body = server.ask("/upscale?scale=2", file_of(lr))[2]
    assert same(pixels(body), expected.uint8(lr, 2))


def test_upscale_keeps_grey_alpha_depth_and_profile(server, expected):
    lr = random_picture(12, 8, 9)
    grey = np.repeat(lr[..., :1], 3, axis=2)
    for colours, of in ((lr, lr), (lr[..., 0], grey)):
        body = server.ask("/upscale?scale=2", file_of(colours, icc_profile=PROFILE))[2]
        wanted = expected.rgb(of, 2)
        if colours.ndim == 2:
            wanted = wanted @ [0.299, 0.587, 0.114]
        assert same(pixels(body), np.rint(wanted))
    alpha = np.dstack([lr, lr[..., :1]])
    for encoding in ("png", "webp"):
        body = server.ask("/upscale?scale=2&format=" + encoding, file_of(alpha))[2]
        got = pixels(body)
        np.testing.assert_array_equal(got[..., 3], enlarge(lr[..., 0], 2))
        visible = got[..., 3] > 0
        assert same(got[visible][:, :3], expected.uint8(lr, 2)[visible])
    wide = cv2.imencode(".png", lr[..., ::-1].astype(np.uint16) * 257)[1].tobytes()
    body = server.ask("/upscale?scale=2", wide)[2]
    got = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_UNCHANGED)[..., ::-1]
    np.testing.assert_allclose(got, expected.rgb(lr, 2) * 257, atol=2)


def test_upscale_keeps_the_colour_profile_and_applies_the_orientation(server, expected):
    lr = random_picture(13, 8, 9)
    body = server.ask("/upscale?scale=2", file_of(lr, icc_profile=PROFILE))[2]
    with Image.open(io.BytesIO(body)) as picture:
        assert picture.info["icc_profile"] == PROFILE
    exif = Image.Exif()
    exif[0x0112] = 6
    body = server.ask("/upscale?scale=2", file_of(lr, exif=exif.tobytes()))[2]
    assert same(pixels(body), expected.uint8(np.rot90(lr, -1), 2))


def test_bicubic_is_that_of_the_data_tools(server):
    lr = random_picture(4, 21, 290)
    body = server.ask("/upscale?scale=3&method=bicubic", file_of(lr))[2]
    np.testing.assert_array_equal(pixels(body), enlarge(lr, 3))


@pytest.mark.parametrize("tool", ["-F file=@%s", "-T %s", "--data-binary @%s"])
def test_curl_sends_pictures_as_people_call_it(server, expected, tmp_path, tool):
    if not shutil.which("curl"):
        pytest.skip("curl is not installed")
    lr = random_picture(17, 9, 8)
    (tmp_path / "a.png").write_bytes(file_of(lr))
    arguments = (tool % (tmp_path / "a.png")).split()
    url = server.url + "/upscale?scale=2"
    answer = subprocess.run(["curl", "-sS"] + arguments + [url], stdout=subprocess.PIPE, check=True)
    assert same(pixels(answer.stdout), expected.uint8(lr, 2))


def test_a_form_without_a_file_is_refused(server):
    boundary = "--x\r\nContent-Disposition: form-data; name=scale\r\n\r\n4\r\n--x--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    status, sentence = server.refused("/upscale?scale=2", boundary.encode(), headers=headers)
    assert (status, "-F file=@" in sentence) == (400, True)
    endless = iter([boundary.encode()])
    chunked = dict(headers, **{"Transfer-Encoding": "chunked"})
    assert server.refused("/upscale?scale=2", endless, headers=chunked)[0] == 411
    for body in (b"", b"--x\r\nno header", b"nonsense"):
        assert server.refused("/upscale?scale=2", body, headers=headers)[0] == 400
