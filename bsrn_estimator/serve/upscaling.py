"""POST /upscale: a picture in, a larger picture out; and GET /progress meanwhile."""

import contextlib
import re
import time
from typing import NamedTuple, Optional

from aiohttp import web

from bsrn_estimator.checkpoints import AUTO
from bsrn_estimator.serve import bodies, transfer
from bsrn_estimator.serve.admission import Gate, attended
from bsrn_estimator.serve.engine import Engine
from bsrn_estimator.serve.monitoring import Metrics
from bsrn_estimator.serve.networks import Networks
from bsrn_estimator.serve.refusal import Refusal
from bsrn_estimator.serve.served import ServedModel
from bsrn_estimator.serve.worker import Job

METHODS = ("network", "bicubic")
_PARAMETERS = ("scale", "format", "method", "network", "id")
# Of an answer: which of several networks made it.
_HEADER = "Bsrn-Network"
_TICKET = re.compile(r"[0-9A-Za-z-]{8,64}$")


class Wish(NamedTuple):
    """What the query of an /upscale request asks for."""

    scale: int
    method: str
    encoding: str
    network: str
    ticket: str


class Upscaling:
    """The two routes."""

    def __init__(self, engine: Engine, networks: Networks, gate: Gate, metrics: Metrics):
        """Takes what it works with."""
        self._engine, self._networks, self._gate, self._metrics = engine, networks, gate, metrics
        self._jobs = {}

    def add_routes(self, router) -> None:
        """Adds them."""
        router.add_post("/upscale", self._upscale)
        router.add_put("/upscale", self._upscale)  # curl -T
        router.add_get("/progress/{ticket}", self._progress)

    async def _upscale(self, request):
        limits = self._gate.limits
        wish = self._wish(request.query)
        self._gate.check()
        body = await transfer.read_body(request, self._gate)
        with self._gate.place() as reserve:
            if transfer.is_gzip(request):
                body = await self._engine.in_thread(len(body), transfer.inflated, body, limits)
            chosen = self._networks.chosen(wish.network, body)
            answer = self._upscaled(body, wish, chosen.model, reserve)
            encoded, times = await attended(request, answer, limits.seconds)
            media_type = bodies.ENCODINGS[wish.encoding][2]
            headers = {"Content-Type": media_type, "Server-Timing": str(times)}
            if chosen.word and wish.method == "network":
                headers[_HEADER] = chosen.word
            return await transfer.send(request, [encoded], headers, limits)

    async def _upscaled(self, body: bytes, wish: Wish, model: ServedModel, reserve):
        """The file that answers an /upscale request, and the times it took."""
        in_thread = self._engine.in_thread
        times, most = _Times(), self._gate.limits.pixels // wish.scale**2
        height, width = await in_thread(0, bodies.look, body, most)
        pixels = height * width * wish.scale**2
        reserve(pixels)
        picture = await in_thread(pixels, bodies.decode, body, most)
        times.mark("decode")
        if wish.method == "bicubic":
            result = await in_thread(pixels, bodies.bicubic, picture, wish.scale)
            times.mark("bicubic")
            return await self._encoded(result, picture, wish, times), times
        job = self._engine.job(model, picture.rgb(), wish.scale, picture.store)
        with self._followed(wish.ticket, job):
            (result,) = await self._engine.run([job])
            times.mark("queue", until=job.started)
            times.mark("network")
            self._metrics.upscaled(wish.scale, pixels)
            return await self._encoded(result, picture, wish, times), times

    async def _encoded(self, result, picture, wish: Wish, times: "_Times") -> bytes:
        encode = bodies.encode
        size = result.shape[0] * result.shape[1]
        file = await self._engine.in_thread(
            size, encode, result, picture, wish.scale, wish.encoding
        )
        times.mark("encode")
        return file

    def _wish(self, query) -> Wish:
        unknown = sorted(set(query) - set(_PARAMETERS))
        if unknown:
            listed = "%s and %s" % (", ".join(_PARAMETERS[:-1]), _PARAMETERS[-1])
            raise Refusal(400, "%r is not a parameter; there are %s." % (unknown[0][:50], listed))
        scales = self._networks.scales
        scale = query.get("scale", str(scales[0]) if len(scales) == 1 else "")
        if scale not in [str(known) for known in scales]:
            listed = " or ".join("scale=%d" % known for known in scales)
            raise Refusal(400, "This model takes %s, not %r." % (listed, scale[:50]))
        method = _one_of(query, "method", METHODS)
        encoding = _one_of(query, "format", tuple(bodies.ENCODINGS))
        network = _one_of(query, "network", self._networks.words or (AUTO,))
        ticket = query.get("id", "")
        if ticket and (not _TICKET.match(ticket) or ticket in self._jobs):
            raise Refusal(400, "id takes 8 to 64 letters, digits and dashes, new ones each time.")
        return Wish(int(scale), method, encoding, network, ticket)

    @contextlib.contextmanager
    def _followed(self, ticket: str, job: Job):
        if ticket:
            self._jobs[ticket] = job
        try:
            yield
        finally:
            self._jobs.pop(ticket, None)

    async def _progress(self, request):
        """Tiles of the picture that /upscale was sent with this id; 0 before they are known."""
        job = self._jobs.get(request.match_info["ticket"])
        tiles, done = (job.tiles, job.done) if job else (0, 0)
        waiting = bool(job and job.started is None)
        return web.json_response({"tiles": tiles, "done": done, "waiting": waiting})


class _Times:
    """Durations for the Server-Timing header, which browsers show beside a request."""

    def __init__(self):
        self._last, self._marks = time.monotonic(), []

    def mark(self, name: str, until: Optional[float] = None) -> None:
        """Ends the stretch `name`, now or at the time `until`."""
        until = until or time.monotonic()
        self._marks.append("%s;dur=%.1f" % (name, 1000 * (until - self._last)))
        self._last = until

    def __str__(self) -> str:
        return ", ".join(self._marks)


def _one_of(query, name: str, known: tuple) -> str:
    value = query.get(name, known[0])
    if value not in known:
        raise Refusal(400, "%s takes %s, not %r." % (name, " or ".join(known), value[:50]))
    return value
