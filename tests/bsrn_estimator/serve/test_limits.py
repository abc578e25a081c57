"""Too many requests, too slow ones, clients that leave, and SIGTERM, on real processes."""

import json
import socket
import threading
import time
from urllib.parse import urlsplit

import pytest

from bsrn_estimator.pictures.tiling import tiles_of
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
        assert seen[-1]["done"] <= seen[-1]["tiles"] == len(tiles_of(900, 900, (26, 26), 12))
        status, _, body = asking.result()
        assert (status, b"5 seconds" in body) == (503, True)
        assert b" 408 " in stalled.recv(4096)
    wait_for(lambda: in_progress(narrow) == 0)
    assert progress(narrow) == {"tiles": 0, "done": 0}


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
        with pytest.raises(OSError):
            server.ask("/healthz")
        status, _, body = long.result()
        assert status == 503 and "shut down" in json.loads(body.decode())["error"]
        assert server.exit_status() == 0
        assert 3 < time.monotonic() - started < 15
        idle.close()
