"""The bounds of a request, and the places that requests in progress hold."""

import asyncio
import contextlib
import dataclasses
import time

from bsrn_estimator.serve.refusal import Refusal

# How often a request in progress looks whether its client is still there, in seconds.
_ATTENTION = 0.2


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the server takes on.

    Attributes:
      body_bytes: largest body of a request.
      pixels: largest result of a request, height times width, all its pictures together.
      json_pixels: the same where the result goes out as decimal numbers.
      queue: requests in progress, those that wait included.
      queue_pixels: results of all requests in progress.
      seconds: longest time for a request, from its first byte to its result.
    """

    body_bytes: int = 16 * 2**20
    pixels: int = 64 * 10**6
    json_pixels: int = 4 * 10**6
    queue: int = 32
    queue_pixels: int = 128 * 10**6
    seconds: float = 300


class Gate:
    """Counts requests and their pixels; belongs to the event loop's thread.

    Attributes:
      limits: the bounds.
      requests: how many are in progress.
      pixels: pixels of their results.
      closing: the server ends, and lets nobody in.
    """

    def __init__(self, limits: Limits):
        self.limits = limits
        self.requests = 0
        self.pixels = 0
        self.closing = False
        self._empty = asyncio.Event()
        self._empty.set()

    @contextlib.contextmanager
    def place(self):
        """A place among the requests in progress, given back at the end of the block.

        Yields:
          A function that takes pixels of the result into account: `reserve(pixels)`.

        Raises:
          Refusal: 503 when the server ends; 429 when it is full.
        """
        if self.closing:
            raise Refusal(503, "The server is shutting down; ask again later.", retry_after=5)
        if self.requests >= self.limits.queue:
            raise Refusal(
                429, "All %d places are taken; ask again soon." % self.limits.queue, retry_after=1
            )
        reserved = []

        def reserve(pixels: int) -> None:
            if self.requests > 1 and self.pixels + pixels > self.limits.queue_pixels:
                raise Refusal(
                    429, "Pictures in progress fill the memory; ask again soon.", retry_after=5
                )
            reserved.append(pixels)
            self.pixels += pixels

        self.requests += 1
        self._empty.clear()
        try:
            yield reserve
        finally:
            self.requests -= 1
            self.pixels -= sum(reserved)
            if not self.requests:
                self._empty.set()

    async def drained(self, seconds: float) -> bool:
        """Waits until no request is in progress, at most `seconds`; says whether that is so."""
        try:
            await asyncio.wait_for(self._empty.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        return True


class ClientGone(Exception):
    """The client closed its connection before it had its answer."""


async def attended(request, coroutine, seconds: float):
    """Awaits `coroutine` while the client is there and the time allows, or cancels it.

    Returns:
      What the coroutine returns.

    Raises:
      ClientGone: the connection was closed.
      Refusal: 503, `seconds` have passed.
    """
    task = asyncio.ensure_future(coroutine)
    deadline = time.monotonic() + seconds
    try:
        while True:
            left = deadline - time.monotonic()
            done, _ = await asyncio.wait({task}, timeout=max(0.0, min(_ATTENTION, left)))
            if done:
                return task.result()
            if request.transport is None or request.transport.is_closing():
                raise ClientGone()
            if left <= 0:
                raise Refusal(
                    503,
                    "The result was not ready within %g seconds; send a smaller picture or ask "
                    "again later." % seconds,
                    retry_after=5,
                )
    finally:
        task.cancel()


async def read_body(request, limits: Limits) -> bytes:
    """The body of a request.

    Raises:
      Refusal: 413, it is too large; 415, it is compressed; 408, it stopped coming; 400, it was cut
        short.
    """
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refusal(415, "Send the body as it is, without a Content-Encoding.")
    too_large = Refusal(
        413, "The body has more than %d bytes, which is the limit here." % limits.body_bytes
    )
    if (request.content_length or 0) > limits.body_bytes:
        raise too_large
    parts, size = [], 0
    deadline = time.monotonic() + limits.seconds
    try:
        while True:
            left = max(0.0, deadline - time.monotonic())
            part = await asyncio.wait_for(request.content.readany(), left)
            if not part:
                return b"".join(parts)
            parts.append(part)
            size += len(part)
            if size > limits.body_bytes:
                raise too_large
    except asyncio.TimeoutError:
        raise Refusal(408, "The body did not arrive within %g seconds." % limits.seconds) from None
    except Refusal:
        raise
    except Exception:
        if request.transport is None:
            raise ClientGone() from None
        raise Refusal(400, "The body cannot be read; check its transfer encoding.") from None
