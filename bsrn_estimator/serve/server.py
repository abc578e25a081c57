"""Listening, and ending well: SIGTERM lets what runs finish."""

import asyncio
import logging
import signal
import socket

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from bsrn_estimator.errors import UserError
from bsrn_estimator.serve.admission import Gate

_log = logging.getLogger(__name__)
# Least time for the last answers to leave once the network has stopped, in seconds.
_LAST_WORDS = 2.0
# How long a connection may be idle between two requests, in seconds.
_KEEP_ALIVE = 75.0


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one.

    Raises:
      UserError: the address cannot be had.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        raise UserError(
            "--host=%s --port=%d cannot be listened on: %s; name another"
            % (host, port, error.strerror)
        ) from None
    return bound


def _not_the_clients_fault(record: logging.LogRecord) -> bool:
    """Whether a line of aiohttp's log is of interest: it writes one for each malformed request."""
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


async def run(service_of, bound: socket.socket, gate: Gate, grace: float, on_ready) -> None:
    """Serves until SIGTERM or SIGINT; then finishes what runs, for at most `grace` seconds.

    Args:
      service_of: makes the `app.Service`, with the event loop running.
      bound: the socket to listen on.
      gate: the bounds; closed at the signal.
      grace: seconds for requests in progress.
      on_ready: called when requests are accepted.
    """
    service = service_of()
    loop = asyncio.get_event_loop()
    logging.getLogger("aiohttp.server").addFilter(_not_the_clients_fault)
    runner = web.AppRunner(
        service.app(), access_log=None, auto_decompress=False, keepalive_timeout=_KEEP_ALIVE
    )
    await runner.setup()
    listener = await loop.create_server(runner.server, sock=bound, backlog=1024)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    on_ready()
    await stopping.wait()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)  # a second signal ends the process at once
    gate.closing = True
    listener.close()
    _log.info("stopping: %d requests in progress", gate.requests)
    ends = loop.time() + grace
    if not await gate.drained(grace):
        _log.warning("%d requests did not finish within %g seconds", gate.requests, grace)
    await loop.run_in_executor(None, service.stop)
    # Answers may still be on their way; connections without a request close at once.
    getattr(runner.server, "pre_shutdown", lambda: None)()
    await runner.server.shutdown(max(_LAST_WORDS, ends - loop.time()))
    await runner.cleanup()
    service.close()
