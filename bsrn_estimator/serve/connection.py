"""A connection: the head of each request has its time, and what is no HTTP gets a refusal too."""

import logging

from aiohttp import web

from bsrn_estimator.serve.refusal import Refusal

_log = logging.getLogger(__name__)


class Connection(web.RequestHandler):
    """aiohttp's protocol, with a deadline for heads and with refusals in JSON."""

    __slots__ = ("_patience", "_headers", "_head_timer", "_answering", "_began")

    def __init__(self, manager: web.Server, *, patience: float, headers, **options):
        """Prepares for a connection.

        Args:
          manager: what answers the requests.
          patience: seconds for the head of a request, from its first byte; for the first one, from
            the start of the connection.
          headers: put on refusals of what is no HTTP; answers to requests do not pass here.
          **options: as web.RequestHandler takes them.
        """
        super().__init__(manager, **options)
        self._patience, self._headers = patience, headers
        self._head_timer = None
        self._answering = self._began = False

    def connection_made(self, transport) -> None:
        """Starts the time of the first head."""
        super().connection_made(transport)
        self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Starts the time of a head at its first byte."""
        self._began = True
        if self._head_timer is None and not self._answering:
            self._start_timer()
        super().data_received(data)

    def connection_lost(self, exc) -> None:
        """Ends the time."""
        self._stop_timer()
        super().connection_lost(exc)

    def head_arrived(self) -> None:
        """To be called when a request is known; its body has times of its own."""
        self._answering = True
        self._stop_timer()

    def answered(self) -> None:
        """To be called when there is an answer: the next bytes begin another request."""
        self._answering = self._began = False

    def _start_timer(self) -> None:
        self._head_timer = self._loop.call_later(self._patience, self._too_slow)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if self._began and self.transport is not None:
            refusal = Refusal(
                408, "The head of the request did not arrive in %g seconds." % self._patience
            )
            text = refusal.text().encode()
            self.transport.write(
                b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\n"
                b"Connection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text)
            )
        self.force_close()

    def handle_error(self, request, status=500, exc=None, message=None):
        """The answer to what is no HTTP, or to a failure of aiohttp itself."""
        self._stop_timer()
        if status >= 500:
            _log.error("a request failed", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("part of an answer has been sent already")
        sentence = "The server failed; its log says why."
        if status < 500:
            reason = (str(message or "").strip().splitlines() or ["it is malformed"])[0]
            sentence = "The request cannot be read as HTTP: %s" % reason[:200].rstrip(":")
        response = Refusal(status, sentence).response()
        response.headers.update(self._headers)
        response.force_close()
        return response
