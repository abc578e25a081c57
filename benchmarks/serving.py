"""What taking turns and sharing batches give a server, against one picture after the other.

    python -m benchmarks.serving                      a network with random weights
    python -m benchmarks.serving --model=EXPORT       an exported one

Two things are measured against a server process that is told to use tiles so large that every
picture is one, and a batch has one picture: the time that small pictures take while a large one is
in progress, and how many small ones a second come back when many ask at once. A third is measured
in this process against `json` and NumPy: how long an event loop stands still while a thread reads
a picture of decimal numbers, as TensorFlow Serving's clients send them.
"""

import argparse
import asyncio
import concurrent.futures
import contextlib
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import numpy as np
from PIL import Image

from benchmarks import _report
from bsrn_estimator.compat import tf
from bsrn_estimator.export import saved_model
from bsrn_estimator.networks.bsrn import Bsrn
from bsrn_estimator.serve import instances

_NETWORK = Bsrn(scales=(4,), conv_features=32, state_features=32, recursions=8)
_SMALL, _LARGE = (24, 32), (320, 480)
_CLIENTS = 16


def _write_model(folder: str) -> None:
    def session_with_weights():
        session = tf.Session()
        session.run(tf.global_variables_initializer())
        return session

    saved_model.write(folder, session_with_weights, _NETWORK, _NETWORK.scales, {"step": 1})


def _picture(seed: int, size) -> bytes:
    pixels = np.random.RandomState(seed).randint(0, 256, size + (3,)).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@contextlib.contextmanager
def _server(model: str, *flags: str):
    """A server process.

    Yields:
      A function that posts a picture and gives the seconds it took, and one that gives the most
      memory that the process has held, in MB.
    """
    command = [sys.executable, "-m", "bsrn_estimator.serve", "--model=" + model, "--port=0"]
    process = subprocess.Popen(
        command + list(flags), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        found = re.search(r"http://\S+", process.stdout.readline().decode())
        if not found:
            raise SystemExit("error: the server did not start")

        def post(picture: bytes) -> float:
            started = time.perf_counter()
            with urllib.request.urlopen(found.group() + "upscale?scale=4", picture) as answer:
                answer.read()
            return time.perf_counter() - started

        def memory() -> float:
            with open("/proc/%d/status" % process.pid) as file:
                return 1024 * int(re.search(r"VmHWM:\s*(\d+)", file.read()).group(1)) / 1e6

        yield post, memory
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


def _seconds_beside_a_large_one(post, rounds: int) -> float:
    """The median time of a small picture that comes while a large one is in progress."""
    small, large, taken = _picture(1, _SMALL), _picture(2, _LARGE), []
    post(small)
    for _ in range(rounds):
        thread = threading.Thread(target=post, args=(large,))
        thread.start()
        time.sleep(0.5)
        taken.append(post(small))
        thread.join()
    return statistics.median(taken)


def _pictures_a_second(post, count: int) -> float:
    """How many small pictures come back a second when `_CLIENTS` ask at once."""
    pictures = [_picture(seed, _SMALL) for seed in range(count)]
    with concurrent.futures.ThreadPoolExecutor(_CLIENTS) as clients:
        list(clients.map(post, pictures[:_CLIENTS]))
        started = time.perf_counter()
        list(clients.map(post, pictures))
        return count / (time.perf_counter() - started)


def _read_at_once(body: bytes) -> np.ndarray:
    return np.array(json.loads(body.decode())["instances"], np.float32)


def _read_as_stream(body: bytes) -> list:
    return instances.read(body, lambda *_: None).pictures


def _standstill(read, body: bytes, rounds: int):
    """The longest pause of an event loop while a thread reads `body`, and the seconds it takes.

    Both are medians of `rounds`.
    """

    async def once():
        loop = asyncio.get_event_loop()
        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            started = last = time.perf_counter()
            reading, longest = loop.run_in_executor(thread, read, body), 0.0
            while not reading.done():
                await asyncio.sleep(0.002)
                now = time.perf_counter()
                longest, last = max(longest, now - last), now
            return longest, last - started

    return [
        statistics.median(values) for values in zip(*(asyncio.run(once()) for _ in range(rounds)))
    ]


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", help="an exported model with x4; else random weights")
    parser.add_argument("--rounds", type=int, default=2, help="large pictures")
    parser.add_argument("--pictures", type=int, default=64, help="small pictures")
    parser.add_argument("--side", type=int, default=700, help="of the picture in JSON, in pixels")
    options = parser.parse_args()
    facts = _report.machine()
    row = [[value % 256, 7, 99] for value in range(options.side)]
    body = json.dumps({"instances": [options.side * [row]]}).encode()
    pause, seconds = _standstill(_read_as_stream, body, options.rounds)
    plain_pause, plain_seconds = _standstill(_read_at_once, body, options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        model = options.model or os.path.join(folder, "model")
        if not options.model:
            _write_model(model)
        with _server(model) as (post, memory):
            beside = _seconds_beside_a_large_one(post, options.rounds)
            rate = _pictures_a_second(post, options.pictures)
            peak = memory()
        with _server(model, "--tile=%d" % max(_LARGE)) as (post, _):
            plain_beside = _seconds_beside_a_large_one(post, options.rounds)
        # A batch has as many pixels as a tile: of these pictures, one.
        with _server(model, "--tile=%d" % max(_SMALL)) as (post, _):
            plain_rate = _pictures_a_second(post, options.pictures)
    _report.print_machine(facts)
    _report.print_table(
        ["", "server", "one after the other", "ratio"],
        [
            ["seconds, small beside large", beside, plain_beside, plain_beside / beside],
            ["small pictures a second", rate, plain_rate, rate / plain_rate],
        ],
    )
    print()
    _report.print_table(
        ["%.1f MB of JSON" % (len(body) / 1e6), "as a stream", "json and NumPy", "ratio"],
        [
            ["seconds, longest pause of the event loop", pause, plain_pause, plain_pause / pause],
            ["seconds, reading", seconds, plain_seconds, plain_seconds / seconds],
        ],
    )
    _report.print_result(
        "serving_small_beside_large",
        beside,
        "s",
        plain_beside,
        peak,
        ratio=plain_beside / beside,
        pictures_a_second=rate,
        pictures_a_second_baseline=plain_rate,
        json_pause=pause,
        json_pause_baseline=plain_pause,
        machine=facts,
    )


if __name__ == "__main__":
    main()
