"""The places that requests in progress hold, and how long they are attended to."""

import asyncio
import contextlib
import time

from bsrn_estimator.serve.limits import Limits
from bsrn_estimator.serve.refusal import Refusal

# How often a request in progress looks whether its client is still there, in seconds.
_ATTENTION = 0.2


class Gate:
    """Counts requests and their pixels; belongs to the event loop's thread.

    Attributes:
      limits: the bounds.
      requests: how many are in progress.
      pixels: pixels of their results.
      arriving: bytes of the bodies that have not arrived yet.
      closing: the server ends, and lets nobody in.
    """

    def __init__(self, limits: Limits):
        self.limits = limits
        self.requests = 0
        self.pixels = 0
        self.arriving = 0
        self.closing = False
        self._empty = asyncio.Event()
        self._empty.set()

    def check(self) -> None:
        """Whether a request would have a place now; its body may take a while to arrive.

        Raises:
          Refusal: 503 when the server ends; 429 when it is full.
        """
        if self.closing:
            raise Refusal(503, "The server is shutting down; ask again later.", retry_after=5)
        if self.requests >= self.limits.queue:
            raise Refusal(
                429, "All %d places are taken; ask again soon." % self.limits.queue, retry_after=1
            )

    @contextlib.contextmanager
    def arrival(self):
        """A body on its way here, counted until the end of the block.

        Yields:
          A function to call with the bytes of each part: `came(count)`. It raises a Refusal: 429,
          bodies that have not arrived fill the memory.
        """
        counted = 0

        def came(count: int) -> None:
            nonlocal counted
            if self.arriving + count > self.limits.queue_bytes:
                raise Refusal(429, "Requests that arrive fill the memory; ask again soon.", 5)
            counted += count
            self.arriving += count

        try:
            yield came
        finally:
            self.arriving -= counted

    @contextlib.contextmanager
    def place(self):
        """A place among the requests in progress, given back at the end of the block.

        Taken when the body is here, so that slow clients keep nobody out; given back when the
        result is sent, so that results nobody reads are counted.

        Yields:
          A function that takes pixels of the result into account: `reserve(pixels)`.

        Raises:
          Refusal: as `check`.
        """
        self.check()
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
            await asyncio.wait({task}, timeout=max(0.0, min(_ATTENTION, left)))
            if task.done():
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
        # The traceback of an error holds this frame and the task holds the error: they would keep
        # each other, and all that the request had become, until Python looks for such circles.
        task = coroutine = None
