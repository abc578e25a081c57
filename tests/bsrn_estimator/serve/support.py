"""A tiny exported network, server processes that answer with it, and what they should answer."""

import base64
import contextlib
import io
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zlib
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from bsrn_estimator.compat import tf
from bsrn_estimator.export import saved_model
from bsrn_estimator.networks.bsrn import Bsrn
from tests.conftest import ROOT

PREDICT = "/v1/models/bsrn:predict"
NETWORK = Bsrn(scales=(2, 3), conv_features=3, state_features=2, recursions=2)


def write_export(folder: str) -> None:
    """A SavedModel with random weights, large enough that pictures differ."""

    def session_with_weights():
        session = tf.Session()
        random = np.random.RandomState(5)
        for variable in tf.global_variables():
            weights = random.uniform(-0.35, 0.35, variable.shape.as_list())
            variable.load(weights.astype(np.float32), session)
        return session

    info = {"step": 7, "scales": list(NETWORK.scales)}
    saved_model.write(folder, session_with_weights, NETWORK, NETWORK.scales, info)


class Expected:
    """What the `_rgb` signatures of an export give, straight from TensorFlow."""

    def __init__(self, folder: str):
        self._session = tf.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            loaded = tf.saved_model.load(self._session, ["serve"], folder)
        self._signatures = loaded.signature_def

    def rgb(self, lr: np.ndarray, scale: int) -> np.ndarray:
        """float32 [height, width, 3] of one picture."""
        signature = self._signatures["x%d_rgb" % scale]
        feed = {signature.inputs["lr"].name: lr[np.newaxis]}
        return self._session.run(signature.outputs["hr"].name, feed)[0]

    def uint8(self, lr: np.ndarray, scale: int) -> np.ndarray:
        """The same, rounded."""
        return np.rint(self.rgb(lr, scale)).astype(np.uint8)

    def png(self, file: bytes, scale: int) -> np.ndarray:
        """The picture that the `_bytes` signature gives for a file."""
        signature = self._signatures["x%d_bytes" % scale]
        feed = {signature.inputs["bytes"].name: [file]}
        return pixels(self._session.run(signature.outputs["png_bytes"].name, feed)[0])


def random_picture(seed: int, height: int, width: int) -> np.ndarray:
    """uint8 [height, width, 3]."""
    return np.random.RandomState(seed).randint(0, 256, [height, width, 3]).astype(np.uint8)


def file_of(picture: np.ndarray, name: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, name, **options)
    return file.getvalue()


def b64(file: bytes):
    return {"b64": base64.b64encode(file).decode()}


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def bomb(side: int, rows: int = None) -> bytes:
    """A PNG of one bit a pixel, small, and large once decoded; whole unless `rows` cuts it."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    packed = zlib.compress(bytes((rows or side) * (1 + (side + 7) // 8)), 9)
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", packed), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def pixels(file: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(file)) as picture:
        return np.asarray(picture)


def same(left: np.ndarray, right: np.ndarray) -> bool:
    """Equal but for values on the edge of rounding, which the batch's size may tip."""
    difference = np.abs(left.astype(int) - right.astype(int))
    return left.shape == right.shape and difference.max() <= 1 and difference.mean() < 0.01


class Server:
    """A server process on a port of its own; in float32, unless told otherwise.

    Attributes:
      line: what it printed when it was ready.
    """

    def __init__(self, *flags: str):
        self._log = tempfile.TemporaryFile()
        paths = [str(ROOT)] + os.environ.get("PYTHONPATH", "").split(os.pathsep)
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, paths)))
        command = [sys.executable, "-m", "bsrn_estimator.serve", "--port=0"]
        command += ["--nomixed_precision"] + list(flags)
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._log, env=environment
        )
        self.line = self.process.stdout.readline().decode()
        found = re.search(r"(http://127\.0\.0\.1:\d+)/", self.line)
        assert found, "the server did not start: %s %s" % (self.line, self.log())
        self.url = found.group(1)

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read().decode()

    def memory(self) -> int:
        """Largest resident memory so far, in bytes."""
        with open("/proc/%d/status" % self.process.pid) as file:
            return 1024 * int(re.search(r"VmHWM:\s*(\d+)", file.read()).group(1))

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def exit_status(self, seconds: float = 30) -> int:
        return self.process.wait(seconds)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.process.stdout.close()
        self._log.close()

    def ask(self, path: str, body: bytes = None, method: str = None, headers=()):
        """Status, headers and body of the answer."""
        request = urllib.request.Request(self.url + path, data=body, method=method)
        for name, value in dict(headers).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()

    def refused(self, path: str, body: bytes = None, **more):
        """Status and sentence of an answer that must be a refusal."""
        status, headers, text = self.ask(path, body, **more)
        assert status >= 400 and headers["Content-Type"].startswith("application/json")
        (sentence,) = json.loads(text.decode()).values()
        assert "\n" not in sentence and sentence.strip()
        return status, sentence


@contextlib.contextmanager
def running(*flags: str):
    """A server for the length of the block."""
    server = Server(*flags)
    try:
        yield server
    finally:
        server.close()


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
