"""Too many requests, too slow ones, clients that leave, and SIGTERM, on real processes."""

import json
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest

from bsrn_estimator.serve.tiles import tiles_of
from tests.bsrn_estimator.serve.support import file_of, pixels, random_picture, running, same

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


def in_progress(server) -> int:
    text = server.ask("/metrics")[2].decode()
    return int(float(text.split("\nbsrn_requests_in_progress ")[1].split()[0]))


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


@pytest.fixture(scope="module")
def narrow(export):
    """A server with two places and little time, which the last test here ends."""
    flags = SLOW_FLAGS + ("--max_queue=2", "--timeout=2.5", "--grace=20")
    with running("--model=" + export, *flags) as server:
        yield server


def test_a_request_that_takes_too_long_is_ended(narrow):
    started = time.monotonic()
    status, sentence = narrow.refused("/upscale?scale=2", slow(2, 600))
    assert (status, "2.5 seconds" in sentence) == (503, True)
    assert time.monotonic() - started < 10
    wait_for(lambda: in_progress(narrow) == 0)


def test_progress_tells_tiles(narrow):
    asking = Asking(narrow, "/upscale?scale=2&id=0123456789", slow(3, 500))
    seen = []
    wait_for(lambda: seen.append(progress(narrow)) or seen[-1]["done"])
    assert seen[-1]["done"] <= seen[-1]["tiles"] == len(tiles_of(500, 500, 26, 12))
    asking.result()
    assert progress(narrow) == {"tiles": 0, "done": 0}


def progress(server):
    return json.loads(server.ask("/progress/0123456789")[2].decode())


def test_places_run_out_and_come_back_when_a_client_leaves(narrow):
    first, second = leaving(narrow, slow(4, 500)), leaving(narrow, slow(5, 500))
    try:
        wait_for(lambda: in_progress(narrow) == 2)
        status, headers, body = narrow.ask("/upscale?scale=2", SMALL)
        assert (status, headers["Retry-After"]) == (429, "1"), body
        assert narrow.ask("/healthz")[0] == 200
        first.close()
        wait_for(lambda: in_progress(narrow) == 1)
        # A small one has its turn while the large one runs.
        assert narrow.ask("/upscale?scale=2", SMALL)[0] == 200
        assert in_progress(narrow) == 1
    finally:
        first.close()
        second.close()
    wait_for(lambda: in_progress(narrow) == 0)
    assert 'status="499"' in narrow.ask("/metrics")[2].decode()


def test_a_body_that_stops_coming_is_ended(narrow):
    address = urlsplit(narrow.url)
    with socket.create_connection((address.hostname, address.port), timeout=20) as connection:
        connection.sendall(
            b"POST /upscale?scale=2 HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\nabc"
        )
        assert b" 408 " in connection.recv(4096)


def test_sigterm_finishes_what_runs(narrow, expected):
    lr = random_picture(6, 60, 60)
    idle = leaving(narrow, SMALL)  # keeps its connection open after the answer
    assert b" 200 " in idle.recv(65536)
    asking = Asking(narrow, "/upscale?scale=2", file_of(lr))
    wait_for(lambda: in_progress(narrow) == 1)
    narrow.terminate()
    status, _, body = asking.result()
    assert status == 200 and same(pixels(body), expected.uint8(lr, 2))
    assert narrow.exit_status() == 0
    idle.close()
    with pytest.raises(OSError):
        narrow.ask("/healthz")


def test_sigterm_waits_no_longer_than_its_grace(export):
    with running("--model=" + export, "--grace=0.3", *SLOW_FLAGS) as server:
        asking = Asking(server, "/upscale?scale=2", slow(7, 900))
        wait_for(lambda: in_progress(server) == 1)
        started = time.monotonic()
        server.terminate()
        status, _, body = asking.result()
        assert status == 503 and "shut down" in json.loads(body.decode())["error"]
        assert server.exit_status() == 0
        assert time.monotonic() - started < 10
