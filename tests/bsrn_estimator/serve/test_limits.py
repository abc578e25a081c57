"""Too many requests, too slow ones, clients that leave, and SIGTERM, on real processes."""

import json
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest

from bsrn_estimator.pictures.tiling import cover
from tests.bsrn_estimator.serve.support import (
    PREDICT,
    file_of,
    pixels,
    random_picture,
    running,
    same,
)

# Tiles of 26 with a margin of 12 keep 2 pixels each way: slow on purpose.
SLOW_FLAGS = ("--tile=26", "--overlap=12")
SMALL = file_of(random_picture(1, 9, 11))


def slow(seed: int, side: int) -> bytes:
    return file_of(random_picture(seed, side, side))


class Asking(threading.Thread):
    """A request in the background; `answer` is the status, the headers and the body."""

    def __init__(self, server, path, body):
        super().__init__()
        self._ask = lambda: server.ask(path, body)
        self.answer = None
        self.start()

    def run(self):
        self.answer = self._ask()

    def result(self):
        self.join(60)
        return self.answer


def metric(server, name: str) -> int:
    text = server.ask("/metrics")[2].decode()
    return int(float(text.split("\n%s " % name)[1].split()[0]))


def in_progress(server) -> int:
    return metric(server, "bsrn_requests_in_progress")


def wait_for(condition, seconds=20):
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.05)


def leaving(server, body: bytes) -> socket.socket:
    """A connection that has sent its request and can be closed."""
    address = urlsplit(server.url)
    connection = socket.create_connection((address.hostname, address.port), timeout=20)
    head = "POST /upscale?scale=2 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body)
    connection.sendall(head.encode() + body)
    return connection


def connect(server) -> socket.socket:
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname, address.port), timeout=20)


def answer_of(connection: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    parts = []
    while True:
        part = connection.recv(2**16)
        if not part:
            return b"".join(parts)
        parts.append(part)


@pytest.fixture(scope="module")
def impatient(export):
    """A server with two places and little patience, whose tiles take their time."""
    with running("--model=" + export, "--max_queue=2", "--patience=1", "--tile=700") as server:
        yield server


def test_slow_uploads_keep_nobody_out(impatient):
    """More of them than there are places; they end when their patience does, not the timeout."""
    head = b"POST /upscale?scale=2 HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n"
    uploads = [connect(impatient) for _ in range(8)]
    try:
        for upload in uploads:
            upload.sendall(head + bytes(2**16))
        wait_for(lambda: metric(impatient, "bsrn_arriving_bytes") == 8 * 2**16)
        assert in_progress(impatient) == 0
        assert impatient.ask("/upscale?scale=2", SMALL)[0] == 200
        for upload in uploads:
            answer = answer_of(upload)
            assert b" 408 " in answer.split(b"\r\n")[0] and b"65536 bytes in 1 s" in answer
    finally:
        for upload in uploads:
            upload.close()
    assert metric(impatient, "bsrn_arriving_bytes") == 0


def test_a_picture_is_said_to_wait_while_it_does(impatient):
    """Behind a tile of a large one; then it is said to run, or is done."""
    large = Asking(impatient, "/upscale?scale=2", slow(3, 2000))
    wait_for(lambda: in_progress(impatient) == 1)
    seen = []
    while large.answer is None and True not in seen:
        small = Asking(impatient, "/upscale?scale=2&id=0123456789", SMALL)
        while small.answer is None:
            seen.append(progress(impatient)["waiting"])
        assert small.result()[0] == 200
    assert True in seen
    assert large.result()[0] == 200


def test_uploads_that_fill_the_memory_are_refused(export):
    flags = ("--max_queue=1", "--max_body_mb=1", "--patience=30")
    body = bytes(2**20)
    with running("--model=" + export, *flags) as server, connect(server) as first:
        head = "POST /upscale?scale=2 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n"
        first.sendall((head % len(body)).encode() + body[:-1])
        wait_for(lambda: metric(server, "bsrn_arriving_bytes") == len(body) - 1)
        status, sentence = server.refused("/upscale?scale=2", SMALL)
        assert (status, "memory" in sentence) == (429, True)
        first.sendall(b"x")
        assert b" 415 " in first.recv(4096)  # it was no picture, but it came
        assert server.ask("/upscale?scale=2", SMALL)[0] == 200


@pytest.mark.parametrize(
    "sent, answered",
    [(b"", b""), (b"GET / HT", b" 408 "), (b"GET / HTTP/1.1\r\nHost: x\r\nA: ", b" 408 ")],
)
def test_a_head_has_its_time(impatient, sent, answered):
    with connect(impatient) as connection:
        connection.sendall(sent)
        answer = answer_of(connection)
    assert answered in answer.split(b"\r\n")[0] and bool(answer) == bool(answered)
    if answer:
        assert "head" in json.loads(answer.partition(b"\r\n\r\n")[2].decode())["error"]


def test_the_second_head_has_its_time_too_and_idling_is_no_fault(impatient):
    with connect(impatient) as connection:
        for _ in range(2):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = b""
            while not answer.endswith(b'{"status": "ok"}'):
                answer += connection.recv(4096)
            time.sleep(1.5)  # longer than the patience
        connection.sendall(b"GET /heal")
        assert b" 408 " in answer_of(connection)


def test_results_count_until_they_are_read(export):
    """One that nobody reads holds its place until the patience is over."""
    with running("--model=" + export, "--max_queue=1", "--patience=3") as server:
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**12)
        address = urlsplit(server.url)
        reader.connect((address.hostname, address.port))
        body = slow(8, 1200)
        head = "POST /upscale?scale=3&method=bicubic HTTP/1.1\r\nHost: x\r\n"
        reader.sendall((head + "Content-Length: %d\r\n\r\n" % len(body)).encode() + body)
        assert reader.recv(1, socket.MSG_PEEK)  # the result has begun to come
        assert in_progress(server) == 1
        assert server.ask("/upscale?scale=2", SMALL)[0] == 429
        wait_for(lambda: in_progress(server) == 0)
        assert server.ask("/upscale?scale=2", SMALL)[0] == 200
        reader.close()


def test_health_answers_while_a_large_body_of_json_is_read(export):
    with running("--model=" + export) as server:
        pixels_row = "[%s]" % ",".join(["[1,2,3]"] * 900)
        body = '{"signature_name": "x2_rgb", "instances": [[%s]]' % ",".join([pixels_row] * 1100)
        asking = Asking(server, PREDICT, body.encode())  # cut short: read to its end, then refused
        answers = 0
        wait_for(lambda: in_progress(server) or asking.answer)
        while asking.answer is None:
            assert server.ask("/healthz")[0] == 200
            answers += asking.answer is None and in_progress(server)
        assert asking.result()[0] == 400
        assert answers > 3


def test_refused_bodies_leave_no_memory_behind(export):
    """JSON that is wrong at its end, and PNGs that are damaged behind much that is good."""
    row = "[%s]" % ",".join(["[1,2,3]"] * 900)
    json_body = '{"signature_name": "x2_rgb", "instances": [[%s], 1]}' % ",".join([row] * 600)
    file = bytearray(file_of(random_picture(9, 1100, 1100), compress_level=0))
    file[-200] ^= 255
    with running("--model=" + export) as server:
        bodies = (
            (PREDICT, json_body.encode(), 400),
            ("/upscale?scale=2", bytes(file), 422),
            ("/upscale?scale=2", bytes(file[:-5000]), 422),
        )
        for path, body, status in bodies:
            for _ in range(3):
                assert server.refused(path, body)[0] == status
        before = server.memory()
        for path, body, status in bodies:
            for _ in range(17):
                assert server.refused(path, body)[0] == status
        # A body or its picture has 4 MB: what fifty leave would be 200 MB and more.
        assert server.memory() - before < 32 * 2**20


@pytest.fixture(scope="module")
def narrow(export):
    """A server with two places and little time."""
    flags = SLOW_FLAGS + ("--max_queue=2", "--timeout=5")
    with running("--model=" + export, *flags) as server:
        yield server


def test_what_takes_too_long_is_ended(narrow):
    """A picture, whose progress is told meanwhile, and a body that stops coming."""
    address = urlsplit(narrow.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as stalled:
        stalled.sendall(
            b"POST /upscale?scale=2 HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc"
        )
        asking = Asking(narrow, "/upscale?scale=2&id=0123456789", slow(2, 900))
        seen = []
        wait_for(lambda: seen.append(progress(narrow)) or seen[-1]["done"])
        assert seen[-1]["done"] <= seen[-1]["tiles"] == len(cover(900, 900, 26, 12))
        status, _, body = asking.result()
        assert (status, b"5 seconds" in body) == (503, True)
        assert b" 408 " in stalled.recv(4096)
    wait_for(lambda: in_progress(narrow) == 0)
    assert progress(narrow) == {"tiles": 0, "done": 0, "waiting": False}


def progress(server):
    return json.loads(server.ask("/progress/0123456789")[2].decode())


def test_places_run_out_and_come_back_when_a_client_leaves(narrow):
    first, second = leaving(narrow, slow(4, 900)), leaving(narrow, slow(5, 900))
    try:
        wait_for(lambda: in_progress(narrow) == 2)
        status, headers, body = narrow.ask("/upscale?scale=2", SMALL)
        assert (status, headers["Retry-After"]) == (429, "1"), body
        assert narrow.ask("/healthz")[0] == 200
        first.close()
        wait_for(lambda: in_progress(narrow) == 1)
        # A small one has its turn while the large one runs.
        assert narrow.ask("/upscale?scale=2", SMALL)[0] == 200
    finally:
        first.close()
        second.close()
    wait_for(lambda: in_progress(narrow) == 0)
    assert 'status="499"' in narrow.ask("/metrics")[2].decode()


def test_sigterm_finishes_what_it_can_within_its_grace(export, expected):
    lr = random_picture(6, 36, 36)
    with running("--model=" + export, "--grace=4", *SLOW_FLAGS) as server:
        idle = leaving(server, SMALL)  # keeps its connection open after the answer
        assert b" 200 " in idle.recv(65536)
        long = Asking(server, "/upscale?scale=2", slow(7, 900))
        wait_for(lambda: in_progress(server) == 1)
        short = Asking(server, "/upscale?scale=2", file_of(lr))
        wait_for(lambda: in_progress(server) == 2 or short.answer)
        started = time.monotonic()
        server.terminate()
        status, _, body = short.result()
        assert status == 200 and same(pixels(body), expected.uint8(lr, 2))
        # It still says that it ends, to balancers that ask, and takes nothing new.
        assert server.ask("/healthz")[0] == 503
        assert server.ask("/upscale?scale=2", SMALL)[0] == 503
        status, _, body = long.result()
        assert status == 503 and "shut down" in json.loads(body.decode())["error"]
        assert server.exit_status() == 0
        assert 3 < time.monotonic() - started < 15
        idle.close()
