"""Bodies on their way in and results on their way out, at a pace that holds nobody up."""

import asyncio
import gzip
import io
import time
import zlib
from typing import Dict, Iterable

from aiohttp import web

from bsrn_estimator.serve.admission import ClientGone, Gate
from bsrn_estimator.serve.limits import Limits
from bsrn_estimator.serve.refusal import Refusal

_GZIP = ("gzip", "x-gzip")
_PIECE = 2**16


class _Pace:
    """Times for the parts of a body: so much in each stretch, and an end to all of it."""

    def __init__(self, limits: Limits):
        self._limits = limits
        self._end = time.monotonic() + limits.seconds
        self._begin_stretch()

    def _begin_stretch(self) -> None:
        self._bytes = 0
        self._stretch_end = time.monotonic() + self._limits.pace_seconds

    async def wait_for(self, coroutine):
        """What the coroutine returns.

        Raises:
          Refusal: 408, there was no time for it.
        """
        left = min(self._end, self._stretch_end) - time.monotonic()
        try:
            return await asyncio.wait_for(coroutine, max(0.0, left))
        except asyncio.TimeoutError:
            pass  # raised outside, so that the refusal does not hold on to what was in progress
        limits = self._limits
        if self._end <= self._stretch_end:
            raise Refusal(408, "The body did not arrive within %g seconds." % limits.seconds)
        raise Refusal(
            408,
            "The body came slower than %d bytes in %g seconds."
            % (limits.pace_bytes, limits.pace_seconds),
        )

    def came(self, count: int) -> None:
        """Notes that bytes came."""
        self._bytes += count
        if self._bytes >= self._limits.pace_bytes:
            self._begin_stretch()


async def read_body(request, gate: Gate) -> bytes:
    """The body of a request, or the file in the form that it is, as it was sent.

    Args:
      request: an aiohttp request.
      gate: counts the bytes until all have arrived.

    Raises:
      Refusal: 413, it is too large; 415, it is compressed by something else than gzip; 408, it came
        too slowly; 429, too much arrives at once; 400, it was cut short, or is a form without a
        file; 411, it is a form without a length.
    """
    limits = gate.limits
    encoding = _encoding(request)
    if encoding not in ("identity",) + _GZIP:
        raise Refusal(
            415, "Send the body as it is or with gzip, not with Content-Encoding: %s." % encoding
        )
    if (request.content_length or 0) > limits.body_bytes:
        raise _too_large(limits)
    is_form = request.content_type.startswith("multipart/")
    if is_form and request.content_length is None:
        # What stands before its file is read without being counted.
        raise Refusal(411, "Send a form with its Content-Length, or the file itself as the body.")
    parts, size, pace = [], 0, _Pace(limits)
    try:
        read = request.content.readany
        if is_form:
            read = (await pace.wait_for(_file_of_form(request))).read_chunk
        with gate.arrival() as came:
            while True:
                part = await pace.wait_for(read())
                if not part:
                    return b"".join(parts)
                came(len(part))
                pace.came(len(part))
                parts.append(part)
                size += len(part)
                if size > limits.body_bytes:
                    raise _too_large(limits)
    except Refusal:
        raise
    except Exception:  # aiohttp's readers raise what they happen to meet in a malformed body
        if request.transport is None:
            raise ClientGone() from None
        raise Refusal(400, "The body cannot be read; check its transfer encoding.") from None


def _encoding(request) -> str:
    return request.headers.get("Content-Encoding", "identity").strip().lower()[:40]


def _too_large(limits: Limits) -> Refusal:
    return Refusal(413, "The body has more than %d bytes, the limit here." % limits.body_bytes)


async def _file_of_form(request):
    """The first file of a form, as `curl -F file=@picture.png` and browsers send them."""
    form = await request.multipart()
    while True:
        part = await form.next()
        if part is None:
            raise Refusal(400, "The form has no file; send one: curl -F file=@picture.png.")
        if getattr(part, "filename", None) is not None:
            return part


def is_gzip(request) -> bool:
    """Whether `inflated` has to see the body of this request."""
    return _encoding(request) in _GZIP


def inflated(body: bytes, limits: Limits) -> bytes:
    """The content of a body that was sent with `Content-Encoding: gzip`.

    Raises:
      Refusal: 413, it is too large; 400, it is damaged.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            content = file.read(limits.body_bytes + 1)
    except (OSError, EOFError, zlib.error):
        raise Refusal(400, "The body is not the gzip that its header says.") from None
    if len(content) > limits.body_bytes:
        raise _too_large(limits)
    return content


async def send(request, pieces: Iterable[bytes], headers: Dict[str, str], limits: Limits):
    """Sends a result; returns once the client has taken all but the last few bytes.

    Args:
      request: an aiohttp request.
      pieces: the result, in parts.
      headers: `Content-Type`, and what else is to be said.
      limits: has the pace at which a client must take it.

    Returns:
      The response that was sent.

    Raises:
      ClientGone: the client closed the connection, or takes it too slowly.
    """
    pieces = list(pieces)
    response = web.StreamResponse(headers=headers)
    response.content_length = sum(len(piece) for piece in pieces)
    step = min(_PIECE, limits.pace_bytes)
    try:
        await response.prepare(request)
        for piece in pieces:
            view = memoryview(piece)
            for begin in range(0, len(view), step):
                writing = response.write(view[begin : begin + step])
                await asyncio.wait_for(writing, limits.pace_seconds)
        await asyncio.wait_for(response.write_eof(), limits.pace_seconds)
    except asyncio.TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ClientGone() from None
    except ConnectionError:
        raise ClientGone() from None
    return response
