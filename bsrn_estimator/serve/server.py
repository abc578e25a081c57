"""Listening, and ending well: SIGTERM lets what runs finish."""

import asyncio
import logging
import signal
import socket

from aiohttp import web

from bsrn_estimator.errors import UserError
from bsrn_estimator.serve.admission import Gate
from bsrn_estimator.serve.connection import Connection

_log = logging.getLogger(__name__)
# Least time for the last answers to leave once the network has stopped, in seconds.
_LAST_WORDS = 2.0
# How long the rest of a body is read and dropped after a refusal, which the client may read only
# when it has sent all, in seconds.
_LINGERING = 10.0
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


async def run(service_of, bound: socket.socket, gate: Gate, grace: float, on_ready) -> None:
    """Serves until SIGTERM or SIGINT; then finishes what runs, for at most `grace` seconds.

    Meanwhile connections are taken, so that /healthz can say that the server ends, and no pictures.

    Args:
      service_of: makes the `app.Service`, with the event loop running.
      bound: the socket to listen on.
      gate: the bounds; closed at the signal.
      grace: seconds for requests in progress.
      on_ready: called when requests are accepted.
    """
    service = service_of()
    loop = asyncio.get_event_loop()
    runner = web.AppRunner(service.app())
    await runner.setup()

    def connection() -> Connection:
        return Connection(
            runner.server,
            patience=gate.limits.pace_seconds,
            headers=service.headers,
            loop=loop,
            access_log=None,
            auto_decompress=False,
            keepalive_timeout=_KEEP_ALIVE,
            lingering_time=min(_LINGERING, gate.limits.pace_seconds),
        )

    listener = await loop.create_server(connection, sock=bound, backlog=1024)
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    on_ready()
    await stopping.wait()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.remove_signal_handler(number)  # a second signal ends the process at once
    gate.closing = True
    _log.info("stopping: %d requests in progress", gate.requests)
    ends = loop.time() + grace
    if not await gate.drained(grace):
        _log.warning("%d requests did not finish within %g seconds", gate.requests, grace)
    listener.close()
    await loop.run_in_executor(None, service.stop)
    # Answers may still be on their way; connections without a request close at once.
    getattr(runner.server, "pre_shutdown", lambda: None)()
    await runner.server.shutdown(max(_LAST_WORDS, ends - loop.time()))
    await runner.cleanup()
    service.close()
