"""A real server process on loopback: every route, every refusal, a load, a fuzz."""

import asyncio
import base64
import gzip
import json

import aiohttp
import hypothesis
import numpy as np
import pytest
from hypothesis import strategies

from bsrn_estimator.platforms.cpu import has_bfloat16
from tests.bsrn_estimator.serve.support import (
    PREDICT,
    b64,
    bomb,
    file_of,
    pixels,
    random_picture,
    raw,
    running,
    same,
)


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
        ("/upscale?scale=2", b"\0\0\0\x18ftypheic" + bytes(12), 415, "HEIC"),
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
    for path in ("/page.css", "/page.js", "/requests.js", "/viewer.js", "/favicon.svg"):
        status, headers, body = server.ask(path)
        assert status == 200 and headers["X-Content-Type-Options"] == "nosniff"
        assert b"http" not in body.replace(b"http://www.w3.org/2000/svg", b"").lower().replace(
            b"xmlhttprequest", b""
        )


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
    kind=strategies.sampled_from(["PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF"]),
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
        assert "serving auto (clean version" in server.line and "float32" in server.line
    assert status == 200 and pixels(body).shape == (27, 33, 3)


@pytest.mark.skipif(not has_bfloat16(), reason="needs TensorFlow 2.21 and bfloat16 instructions")
def test_convolutions_in_bfloat16(export, server):
    """Near what they are in float32, and not the same."""
    picture = file_of(random_picture(3, 40, 51))
    with running("--model=" + export, "--mixed_precision") as mixed:
        assert "bfloat16" in mixed.line
        found = pixels(mixed.ask("/upscale?scale=3", picture)[2]).astype(int)
    exact = pixels(server.ask("/upscale?scale=3", picture)[2])
    assert 0 < np.abs(found - exact).max() <= 32 and np.abs(found - exact).mean() < 1
