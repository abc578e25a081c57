"""A real server process on loopback: every route, every refusal, a load, a fuzz."""

import asyncio
import base64
import gzip
import io
import json
import shutil
import socket
import struct
import subprocess
import zlib
from urllib.parse import urlsplit

import aiohttp
import cv2
import hypothesis
import numpy as np
import pytest
from hypothesis import strategies
from PIL import Image, ImageCms

from bsrn_estimator.pictures.imresize import enlarge
from tests.bsrn_estimator.serve.support import file_of, pixels, random_picture, running, same

PREDICT = "/v1/models/bsrn:predict"
PROFILE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def b64(file: bytes):
    return {"b64": base64.b64encode(file).decode()}


def predict(server, request, path=PREDICT):
    status, _, body = server.ask(path, json.dumps(request).encode())
    return status, json.loads(body.decode())


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


def test_predict_takes_and_gives_decimals_by_rows_and_by_columns(server, expected):
    lr = [random_picture(seed, 5, 7) for seed in (5, 6)]
    values = [picture.tolist() for picture in lr]
    wanted = [expected.rgb(picture, 2) for picture in lr]
    asked = {"signature_name": "x2_rgb", "instances": values}
    for request in (
        asked,
        dict(asked, instances=[{"lr": value} for value in values]),
        {"signature_name": "x2_rgb", "inputs": values},
        {"signature_name": "x2_rgb", "inputs": {"lr": values}},
    ):
        status, answer = predict(server, request)
        (name,) = answer
        assert (status, name) == (200, "predictions" if "instances" in request else "outputs")
        np.testing.assert_allclose(answer[name], wanted, atol=1e-3)


def test_predict_takes_and_gives_bytes(server, expected):
    files = [file_of(random_picture(7, 6, 8)), file_of(random_picture(8, 30, 4), "JPEG")]
    encoded = [b64(file) for file in files]
    wanted = [expected.png(file, 2) for file in files]
    for instances in (encoded, [{"bytes": one} for one in encoded]):
        status, answer = predict(server, {"signature_name": "x2_bytes", "instances": instances})
        assert status == 200
        for got, picture in zip(answer["predictions"], wanted):
            assert same(pixels(base64.b64decode(got["b64"])), picture)


def test_predict_takes_what_tensorflow_serving_takes(server, expected):
    """base64 in lines, without padding and with; gzip; an empty name; keys in any order."""
    file = file_of(random_picture(14, 6, 8))
    wanted = expected.png(file, 3)
    for encoded in (
        base64.encodebytes(file).decode(),
        base64.b64encode(file).decode().rstrip("="),
        " \t\r\n".join(base64.b64encode(file).decode()),
    ):
        request = {"instances": [{"b64": encoded}], "signature_name": "", "more": [{"a": [1]}]}
        body = gzip.compress(json.dumps(request).encode())
        status, _, body = server.ask(PREDICT, body, headers={"Content-Encoding": "gzip"})
        assert status == 200, body
        (got,) = json.loads(body.decode())["predictions"]
        assert same(pixels(base64.b64decode(got["b64"])), wanted)


def test_predict_takes_pictures_of_several_sizes(server, expected):
    lr = [random_picture(15, 5, 7), random_picture(16, 9, 3)]
    request = {"inputs": [one.tolist() for one in lr], "signature_name": "x2_rgb"}
    status, answer = predict(server, request)
    assert status == 200
    for got, picture in zip(answer["outputs"], lr):
        np.testing.assert_allclose(got, expected.rgb(picture, 2), atol=1e-3)


def test_the_limits_hold_while_json_is_read(server):
    """What is beyond them is refused, though what follows is no JSON: it has not been read."""
    row = ",".join(["[1,2,3]"] * 1000)
    rows = ",".join(["[%s]" % row] * 101)
    nonsense = " " * 2**17 + "nonsense"  # further on than what the parser takes at a time
    head = '{"signature_name": "x2_rgb", "instances": [['
    status, sentence = server.refused(PREDICT, (head + rows + nonsense).encode())
    assert (status, "400000 pixels" in sentence) == (413, True)
    status, _ = server.refused(PREDICT, ('{"inputs": [[%s],' % rows + nonsense).encode())
    assert status == 413
    file = json.dumps(b64(bomb(9000)))
    status, _ = server.refused(PREDICT, ('{"instances": [%s,' % file + nonsense).encode())
    assert status == 413
    files = ",".join(['{"b64": ""}'] * 257)
    status, sentence = server.refused(PREDICT, ('{"instances": [%s,' % files + nonsense).encode())
    assert (status, "256" in sentence) == (413, True)


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
    for body in (b"", b"--x\r\nno header", b"nonsense"):
        assert server.refused("/upscale?scale=2", body, headers=headers)[0] == 400


def test_what_is_no_http_is_refused_in_json(server):
    for content in (b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nno colon\r\n\r\n"):
        head, _, body = raw(server, content, half_closed=False).partition(b"\r\n\r\n")
        assert b" 400 " in head.split(b"\r\n")[0] and b"Content-Security-Policy" in head
        assert "HTTP" in json.loads(body.decode())["error"]
    assert "Traceback" not in server.log()


def test_other_sites_may_not_ask_unless_they_are_named(server, export):
    assert server.ask("/upscale?scale=2", GOOD)[1]["Access-Control-Allow-Origin"] is None
    assert server.refused("/upscale", method="OPTIONS")[0] == 405
    with running("--model=" + export, "--cors=https://example.org") as open_server:
        for path, body in (("/upscale?scale=2", GOOD), ("/upscale?scale=9", GOOD), ("/", None)):
            headers = open_server.ask(path, body)[1]
            assert headers["Access-Control-Allow-Origin"] == "https://example.org"
            assert headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        status, headers, _ = open_server.ask(PREDICT, method="OPTIONS")
        assert status == 204 and "POST" in headers["Access-Control-Allow-Methods"]
        assert "Content-Type" in headers["Access-Control-Allow-Headers"]


def test_predict_without_a_signature_takes_the_default(server, expected):
    file = file_of(random_picture(9, 6, 8))
    status, answer = predict(
        server, {"inputs": {"bytes": [b64(file)]}}, "/v1/models/bsrn/versions/7:predict"
    )
    assert status == 200
    (got,) = answer["outputs"]
    assert same(pixels(base64.b64decode(got["b64"])), expected.png(file, 3))


def test_status_and_metadata_have_the_form_of_tensorflow_serving(server):
    for path in ("/v1/models/bsrn", "/v1/models/bsrn/versions/7"):
        status, _, body = server.ask(path)
        assert json.loads(body.decode()) == {
            "model_version_status": [
                {
                    "version": "7",
                    "state": "AVAILABLE",
                    "status": {"error_code": "OK", "error_message": ""},
                }
            ]
        }
    answer = json.loads(server.ask("/v1/models/bsrn/metadata")[2].decode())
    assert answer["model_spec"] == {"name": "bsrn", "signature_name": "", "version": "7"}
    held = answer["metadata"]["signature_def"]["signature_def"]
    assert set(held) == {"x2_rgb", "x2_bytes", "x3_rgb", "x3_bytes", "serving_default"}
    lr = held["x3_rgb"]["inputs"]["lr"]
    assert lr["dtype"] == "DT_FLOAT"
    assert [dim["size"] for dim in lr["tensor_shape"]["dim"]] == ["-1", "-1", "-1", "3"]
    assert held["x2_bytes"]["outputs"]["png_bytes"]["dtype"] == "DT_STRING"
    assert held["x2_bytes"]["method_name"] == "tensorflow/serving/predict"


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(side: int, rows: int = None) -> bytes:
    """A PNG of one bit a pixel, small, and large once decoded; whole unless `rows` cuts it."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    packed = zlib.compress(bytes((rows or side) * (1 + (side + 7) // 8)), 9)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", packed), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


GOOD = file_of(random_picture(10, 6, 7))


@pytest.mark.parametrize(
    "path, body, status, word",
    [
        ("/upscale", GOOD, 400, "scale=2 or scale=3"),
        ("/upscale?scale=5", GOOD, 400, "scale=2 or scale=3"),
        ("/upscale?scale=2&format=gif", GOOD, 400, "png or jpeg"),
        ("/upscale?scale=2&method=magic", GOOD, 400, "network or bicubic"),
        ("/upscale?scale=2&sclae=3", GOOD, 400, "sclae"),
        ("/upscale?scale=2&id=no", GOOD, 400, "id"),
        ("/upscale?scale=2", b"", 400, "empty"),
        ("/upscale?scale=2", bytes(2**20 + 1), 413, "bytes"),
        ("/upscale?scale=2", file_of(random_picture(1, 317, 316)), 413, "pixels"),
        ("/upscale?scale=2", bomb(9000), 413, "pixels"),
        ("/upscale?scale=2", b"%PDF-1.4", 415, "PNG"),
        ("/upscale?scale=2", b"GIF89a", 415, "PNG"),
        ("/upscale?scale=2", GOOD[:-30], 422, "damaged"),
        ("/upscale?scale=2", GOOD[:24], 422, "damaged"),
        (PREDICT, b"{", 400, "JSON"),
        (PREDICT, b"[" * 200000, 400, "JSON"),
        (PREDICT, b'{"signature_name": "x2_rgb"}', 400, "instances"),
        (PREDICT, b'{"signature_name": "x9_rgb", "instances": [1]}', 400, "x9_rgb"),
        (PREDICT, b'{"signature_name": 3, "instances": [1]}', 400, "signature_name"),
        (PREDICT, b'{"signature_name": "x2_rgb", "instances": [1, [2]]}', 400, "shape"),
        (PREDICT, b'{"signature_name": "x2_rgb", "instances": []}', 400, "instances"),
        (PREDICT, b'{"signature_name": "x2_rgb", "instances": [[[["1", 2, 3]]]]}', 400, "numbers"),
        (
            PREDICT,
            b'{"signature_name": "x2_rgb", "instances": [[[[1e999, 2, 3]]]]}',
            400,
            "overflow",
        ),
        (PREDICT, b'{"signature_name": "x2_rgb", "instances": [[[[1e99, 2, 3]]]]}', 400, "finite"),
        (PREDICT, b'{"instances": [[[[1, 2, 3]]]]}', 400, "b64"),
        (PREDICT, b'{"signature_name": "x2_rgb", "instances": [{"b64": ""}]}', 400, "numbers"),
        (PREDICT, b'{"instances": [{"b64": ""}, [[[1, 2, 3]]]]}', 400, "not both"),
        (PREDICT, b'{"instances": [{"lr": {"b64": ""}}]}', 400, '"bytes"'),
        (PREDICT, b'{"instances": [{"b64": "", "a": 1}]}', 400, "nothing beside"),
        (PREDICT, b'{"inputs": {"bytes": [{"b64": ""}], "a": 1}}', 400, '"a" is none'),
        (PREDICT, b'{"instances": [{}]}', 400, "{}"),
        (PREDICT, b'{"inputs": {"b64": ""}}', 400, "list"),
        (PREDICT, b'{"instances": [[[[1, 2, 3]], [[1, 2, 3], [4, 5, 6]]]]}', 400, "alike"),
        (PREDICT, b'{"instances": [[[[1, 2, 3, 4]]]]}', 400, "shape"),
        (PREDICT, b'{"instances": [[[]]]}', 400, "shape"),
        (PREDICT, b'{"instances": [[[[true, 2, 3]]]]}', 400, "numbers"),
        (PREDICT, b'{"inputs": [[[[1, 2, 3]]]]} {', 400, "JSON"),
        (PREDICT, b"\xff{}", 400, "JSON"),
        (PREDICT, b"", 400, "JSON"),
        (PREDICT, b"[]", 400, "object"),
        (PREDICT, b'{"instances": [{"b64": "%"}]}', 400, "base64"),
        (PREDICT, b'{"instances": [{"b64": "aGVsbG8="}]}', 400, "neither a PNG nor a JPEG"),
        (PREDICT, b'{"instances": [{"b64": ""}], "inputs": [1]}', 400, "one of"),
        (PREDICT, json.dumps({"instances": [b64(bomb(9000))]}).encode(), 413, "pixels"),
        (PREDICT, json.dumps({"instances": [b64(b"")] * 257}).encode(), 413, "256"),
        ("/v1/models/other:predict", b"{}", 404, "other"),
        ("/v1/models/bsrn/versions/8:predict", b"{}", 404, "8"),
        ("/v1/models/other", None, 404, "other"),
        ("/nothing", None, 404, "nothing"),
        ("/upscale", None, 405, "curl --data-binary"),
        ("/about", GOOD, 405, "it takes GET"),
    ],
)
def test_refusals_have_a_status_and_a_sentence(server, path, body, status, word):
    got, sentence = server.refused(path, body)
    assert (got, word in sentence) == (status, True), sentence


def test_compressed_and_endless_bodies_are_refused(server):
    for encoding, body, status in (
        ("br", GOOD, 415),
        ("gzip", GOOD, 400),
        ("gzip", gzip.compress(GOOD)[:-9], 400),
        ("gzip", gzip.compress(bytes(2**20 + 1)), 413),
    ):
        headers = {"Content-Encoding": encoding}
        assert server.refused("/upscale?scale=2", body, headers=headers)[0] == status
    endless = (bytes(2**16) for _ in range(64))
    headers = {"Transfer-Encoding": "chunked"}
    assert server.refused("/upscale?scale=2", endless, headers=headers)[0] == 413


def test_bombs_leave_the_memory_bounded(server):
    server.ask("/upscale?scale=2", GOOD)
    before = server.memory()
    # Decoded, 770 MB; in the file, 32 kB.
    assert server.refused("/upscale?scale=2", bomb(16000))[0] == 413
    assert server.refused("/upscale?scale=2&method=bicubic", bomb(60000, rows=9))[0] == 413
    assert server.memory() - before < 64 * 2**20


def test_two_hundred_requests_at_once_get_their_own_answers(server, expected):
    """Three routes, several shapes, two scales: nothing is lost, mixed up or refused."""
    shapes = ((7, 9), (12, 10), (7, 9), (70, 20))

    def request(index):
        lr = random_picture(1000 + index, *shapes[index % 4])
        scale, file = 2 + index // 4 % 2, file_of(lr)
        if index % 5 < 3:
            return "/upscale?scale=%d" % scale, file, lr, scale
        kind, value = ("bytes", b64(file)) if index % 5 == 3 else ("rgb", lr.tolist())
        asked = {"signature_name": "x%d_%s" % (scale, kind), "instances": [value]}
        return PREDICT, json.dumps(asked).encode(), lr, scale

    def picture(answer):
        if answer[:1] != b"{":
            return pixels(answer)
        (value,) = json.loads(answer.decode())["predictions"]
        if isinstance(value, dict):
            return pixels(base64.b64decode(value["b64"]))
        return np.rint(value)

    async def one(session, path, body):
        async with session.post(server.url + path, data=body) as answer:
            return answer.status, await answer.read()

    async def ask_all(requests):
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:
            return await asyncio.gather(*(one(session, *each[:2]) for each in requests))

    requests = [request(index) for index in range(200)]
    answers = asyncio.run(ask_all(requests))
    assert [status for status, _ in answers] == [200] * 200
    for (_, _, lr, scale), (_, answer) in zip(requests, answers):
        assert same(picture(answer), expected.uint8(lr, scale))
    text = server.ask("/metrics")[2].decode()
    tiles = float(text.split("\nbsrn_batch_tiles_sum ")[1].split()[0])
    runs = float(text.split("\nbsrn_batch_tiles_count ")[1].split()[0])
    assert runs < tiles, "no two tiles shared a batch"


def test_metrics_and_health(server):
    server.ask("/upscale?scale=2", GOOD)
    server.ask("/upscale?scale=2", b"no picture")
    server.ask("/no-such-" + "path" * 30)
    assert json.loads(server.ask("/healthz")[2].decode()) == {"status": "ok"}
    status, headers, body = server.ask("/metrics")
    assert status == 200 and headers["Content-Type"].startswith("text/plain")
    text = body.decode()
    for line in (
        'bsrn_requests_total{route="/upscale",status="200"}',
        'bsrn_requests_total{route="/upscale",status="415"}',
        'bsrn_requests_total{route="unknown",status="404"}',
        'bsrn_request_seconds_count{route="/upscale"}',
        "bsrn_requests_in_progress 0.0",
        "bsrn_pixels_in_progress 0.0",
        'bsrn_result_pixels_total{scale="2"}',
        "bsrn_batch_tiles_count",
        "bsrn_arriving_bytes 0.0",
        'bsrn_model_info{name="bsrn",scales="2,3",version="7"} 1.0',
        "process_resident_memory_bytes",
        "process_open_fds",
        "python_gc_collections_total",
        "python_info{",
    ):
        assert line in text
    assert "no-such" not in text


def test_the_page_forbids_everything_from_elsewhere(server):
    status, headers, body = server.ask("/")
    assert status == 200 and body.startswith(b"<!doctype html>")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    assert "unsafe" not in headers["Content-Security-Policy"]
    for path in ("/page.css", "/page.js", "/favicon.svg"):
        status, headers, body = server.ask(path)
        assert status == 200 and headers["X-Content-Type-Options"] == "nosniff"
        assert b"http" not in body.replace(b"http://www.w3.org/2000/svg", b"").lower().replace(
            b"xmlhttprequest", b""
        )


def raw(server, content: bytes, half_closed: bool = True) -> bytes:
    """What the server answers to these bytes on a connection of their own, until it closes it."""
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(content)
        if half_closed:
            connection.shutdown(socket.SHUT_WR)
        parts = []
        while True:
            part = connection.recv(65536)
            if not part:
                return b"".join(parts)
            parts.append(part)


JSON = strategies.recursive(
    strategies.none() | strategies.booleans() | strategies.floats() | strategies.text(max_size=5),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(
            strategies.sampled_from(
                ["instances", "inputs", "signature_name", "b64", "lr", "bytes"]
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


@hypothesis.given(
    request=strategies.fixed_dictionaries(
        {
            "signature_name": strategies.sampled_from(["x2_rgb", "x2_bytes"]) | JSON,
            "instances": JSON,
        }
    )
    | JSON
)
@hypothesis.settings(max_examples=120)
def test_any_json_gets_an_answer(server, request):
    status, _, body = server.ask(PREDICT, json.dumps(request).encode())
    assert status in (200, 400), body
    json.loads(body.decode())


@hypothesis.given(
    kind=strategies.sampled_from(["PNG", "JPEG", "BMP", "TIFF", "WEBP"]),
    flips=strategies.lists(
        strategies.tuples(strategies.floats(0, 1), strategies.integers(1, 255)), max_size=6
    ),
    cut=strategies.floats(0.02, 1) | strategies.just(1.0),
)
@hypothesis.settings(max_examples=150)
def test_any_damaged_picture_gets_an_answer(server, kind, flips, cut):
    file = bytearray(file_of(random_picture(11, 19, 23), kind))
    for place, bits in flips:
        file[int(place * (len(file) - 1))] ^= bits
    file = bytes(file[: int(cut * len(file))])
    status, _, body = server.ask("/upscale?scale=2", file)
    assert status in (200, 400, 413, 415, 422), body
    status, _, body = server.ask(PREDICT, json.dumps({"instances": [b64(file)]}).encode())
    assert status in (200, 400, 413), body


@hypothesis.given(
    head=strategies.sampled_from(
        [
            b"POST /upscale?scale=2 HTTP/1.1\r\nHost: x\r\n",
            b"POST /v1/models/bsrn:predict HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n",
            b"POST /upscale?scale=2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"GET / HTTP/1.0\r\n",
            b"",
        ]
    ),
    rest=strategies.binary(max_size=60),
)
@hypothesis.settings(max_examples=100)
def test_any_bytes_leave_the_server_well(server, head, rest):
    answer = raw(server, head + rest)
    assert b" 500 " not in answer.split(b"\r\n")[0]


def test_it_is_well_after_all_that(server):
    assert server.ask("/healthz")[0] == 200
    assert "bsrn_requests_in_progress 0.0" in server.ask("/metrics")[2].decode()
    assert "Traceback" not in server.log()


def test_without_an_export_the_network_of_the_project_is_served():
    with running() as server:
        status, _, body = server.ask("/upscale?scale=3", file_of(random_picture(3, 9, 11)))
    assert status == 200 and pixels(body).shape == (27, 33, 3)
