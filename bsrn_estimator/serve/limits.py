"""The bounds of what the server takes on."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the server takes on.

    Attributes:
      body_bytes: largest body of a request.
      pixels: largest result of a request, height times width, all its pictures together.
      json_pixels: the same where the result goes out as decimal numbers.
      queue: requests in progress: those that wait, that run, and whose result is being sent.
      queue_pixels: results of all requests in progress.
      queue_bytes: bodies that have not arrived yet, as far as they are here, all together.
      seconds: longest time for a body to arrive, and again for its result to be there.
      pace_bytes: bytes of a body or of a result that a client must send or take in
      pace_seconds: so much time; and longest time for the head of a request.
    """

    body_bytes: int = 16 * 2**20
    pixels: int = 64 * 10**6
    json_pixels: int = 4 * 10**6
    queue: int = 32
    queue_pixels: int = 128 * 10**6
    queue_bytes: int = 32 * 16 * 2**20
    seconds: float = 300
    pace_bytes: int = 2**16
    pace_seconds: float = 15
