"""Messages between two processes: lines of JSON over a TCP connection, and beats in between."""

import contextlib
import errno
import json
import socket
import time
from typing import Any, Dict, Iterator, List, Optional

from bsrn_estimator.errors import UserError

# No message is longer; who sends more is nobody of ours.
_LONGEST = 1 << 20
_SECONDS_TO_CONNECT = 2.0
_SECONDS_TO_SEND = 2.0
_BEAT = b"\n"

Message = Dict[str, Any]


class Link:
    """One end of a connection.

    Args:
      connection: the connected socket, now the link's.

    Attributes:
      heard: when something came in last, on the clock of time.monotonic.
      kept: messages that came in behind the last one that was wanted.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.settimeout(_SECONDS_TO_SEND)
        self._rest = b""
        self.heard = time.monotonic()
        self.kept: List[Message] = []

    def fileno(self) -> int:
        """For select."""
        return self._socket.fileno()

    def send(self, message: Optional[Message] = None) -> None:
        """Sends a message, or a beat; one that cannot be sent is missed by the other end."""
        line = b"" if message is None else json.dumps(message).encode()
        with contextlib.suppress(OSError):
            self._socket.sendall(line + _BEAT)

    def receive(self) -> Optional[List[Message]]:
        """The messages that have come in; None where the other end is gone, or is none of ours."""
        try:
            data = self._socket.recv(1 << 16)
        except socket.timeout:
            return []
        except OSError:
            return None
        if not data:
            return None
        self.heard = time.monotonic()
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        try:
            messages = [json.loads(line.decode()) for line in lines if line]
        except ValueError:
            return None
        whole = all(isinstance(message, dict) for message in messages)
        return messages if whole and len(self._rest) < _LONGEST else None

    def close(self) -> None:
        """Closes it."""
        self._socket.close()


@contextlib.contextmanager
def listening(port: int, name: str) -> Iterator[socket.socket]:
    """A socket that listens at a port of this machine.

    Args:
      port: the port.
      name: what a message calls who has that address.

    Raises:
      UserError: the port is taken, or may not be.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    # TensorFlow's server takes the port next, while connections made through it live on.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        try:
            listener.bind(("", port))
            listener.listen(128)
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            raise UserError(taken_sentence(name) if taken else _unusable(name, error)) from None
        yield listener
    finally:
        listener.close()


def taken_sentence(name: str) -> str:
    """What to say where the port of this process is taken."""
    return (
        "TF_CONFIG: the port of %s is taken on this machine, perhaps by a run that has not ended; "
        "end that, or give another port to all processes" % name
    )


def _unusable(name: str, error: OSError) -> str:
    return "TF_CONFIG: the port of %s cannot be used (%s); give another" % (name, error.strerror)


def connect(host: str, port: int) -> Optional[socket.socket]:
    """A connection to a process; None where it does not listen yet, or its name has no address."""
    try:
        return socket.create_connection((host, port), timeout=_SECONDS_TO_CONNECT)
    except OSError:
        return None
