"""The routes: what each request goes through, from its head to its answer."""

import asyncio
import contextlib
import json
import logging
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Optional

import numpy as np
from aiohttp import web

from bsrn_estimator.pictures.picture import to_uint8
from bsrn_estimator.pictures.tiling import tiles_of
from bsrn_estimator.serve import bodies, page, rest
from bsrn_estimator.serve.admission import ClientGone, Gate, attended, read_body
from bsrn_estimator.serve.model import Model
from bsrn_estimator.serve.monitoring import Metrics
from bsrn_estimator.serve.refusal import Refusal
from bsrn_estimator.serve.worker import Job, Worker

_log = logging.getLogger(__name__)

METHODS = ("network", "bicubic")
# Results of so many pixels, and requests of so many bytes, are large.
_LARGE = 2 * 10**6
_TICKET = re.compile(r"[0-9A-Za-z-]{8,64}$")
# Status of requests whose client went away; nobody receives it, the metrics show it.
_GONE = 499
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Wish(NamedTuple):
    """What the query of an /upscale request asks for."""

    scale: int
    method: str
    encoding: str
    ticket: str


class Service:
    """One model and all that answers for it; belongs to the event loop's thread."""

    def __init__(self, model: Model, name: str, gate: Gate, tile_of, overlap: int):
        """Starts the worker.

        Args:
          model: what to serve.
          name: its name in the paths of TensorFlow Serving's API.
          gate: the bounds.
          tile_of: from a scale to the side of a tile in LR pixels.
          overlap: context around what a tile keeps, in LR pixels.
        """
        self.metrics = Metrics()
        self._model, self._name, self._gate = model, name, gate
        self._tile_of, self._overlap = tile_of, overlap
        self.metrics.watch(gate)
        largest = max(tile_of(scale) for scale in model.scales)
        self._worker = Worker(model.upscale, largest**2, self.metrics.ran)
        # Decoding, encoding and JSON: few at a time, so that their memory has a bound, and apart,
        # so that small pictures do not wait for the encoding of a large one.
        self._threads = {
            "small": ThreadPoolExecutor(2, thread_name_prefix="small"),
            "large": ThreadPoolExecutor(1, thread_name_prefix="large"),
        }
        self._jobs = {}

    def app(self) -> web.Application:
        """The application with all routes."""
        app = web.Application(middlewares=[self._guard])
        model = "/v1/models/{name:[^/:]+}"
        version = model + "/versions/{version:[^/:]+}"
        app.add_routes(
            [
                web.post("/upscale", self._upscale),
                web.get("/progress/{ticket}", self._progress),
                web.get("/healthz", self._health),
                web.get("/metrics", self._metrics),
                web.get("/about", self._about),
            ]
        )
        for path in (model, version):
            app.router.add_get(path, self._status)
            app.router.add_get(path + "/metadata", self._metadata)
            app.router.add_post(path + ":predict", self._predict)
        page.add_routes(app.router)
        return app

    def stop(self) -> None:
        """Ends the network's thread; requests that wait for it are refused."""
        self._worker.stop()

    def close(self) -> None:
        """Ends the other threads."""
        for threads in self._threads.values():
            threads.shutdown()

    @web.middleware
    async def _guard(self, request, handler):
        """Turns whatever ends a handler into an answer, and counts it."""
        started = time.monotonic()
        try:
            response = await handler(request)
        except ClientGone:
            response = web.Response(status=_GONE)
        except Refusal as refusal:
            response = _refused(refusal)
        except web.HTTPException as error:
            response = _refused(Refusal(error.status, _http_sentence(request, error)))
            response.headers.update({k: v for k, v in error.headers.items() if k == "Allow"})
        except asyncio.CancelledError:
            self._count(request, _GONE, started)
            raise
        except Exception:
            _log.exception("%s %s failed", request.method, request.path)
            response = _refused(Refusal(500, "The server failed; its log says why."))
        if response.status >= 400 and not request.content.is_eof():
            response.force_close()  # or what is left of the body would be read as a request
        self._count(request, response.status, started)
        response.headers.update(_HEADERS)
        return response

    def _count(self, request, status, started) -> None:
        resource = getattr(request.match_info.route, "resource", None)
        route = resource.canonical if resource else "unknown"
        self.metrics.answered(route, status, time.monotonic() - started)

    async def _in_thread(self, size: int, function, *arguments):
        """Runs a function; `size`, bytes or pixels, says beside which others."""
        threads = self._threads["large" if size > _LARGE else "small"]
        return await asyncio.get_event_loop().run_in_executor(threads, function, *arguments)

    def _job(self, lr, scale: int, store) -> Job:
        height, width = lr.shape[:2]
        size = 2 * (self._tile_of(scale),)
        return Job(lr, scale, tiles_of(height, width, size, self._overlap), store)

    async def _run(self, jobs: list) -> list:
        """Results of `jobs`; leaving early takes them out of the line."""
        for job in jobs:
            self._worker.submit(job)
        try:
            return await asyncio.gather(*(asyncio.wrap_future(job.future) for job in jobs))
        finally:
            for job in jobs:
                job.future.cancel()

    async def _upscale(self, request):
        limits = self._gate.limits
        wish = self._wish(request.query)
        with self._gate.place() as reserve:
            body = await read_body(request, limits)
            answer = self._upscaled(body, wish, reserve)
            return await attended(request, answer, limits.seconds)

    async def _upscaled(self, body: bytes, wish: Wish, reserve):
        """The answer to an /upscale request."""
        times, most = _Times(), self._gate.limits.pixels // wish.scale**2
        height, width = await self._in_thread(0, bodies.look, body, most)
        pixels = height * width * wish.scale**2
        reserve(pixels)
        picture = await self._in_thread(pixels, bodies.decode, body, most)
        times.mark("decode")
        if wish.method == "bicubic":
            result = await self._in_thread(pixels, bodies.bicubic, picture, wish.scale)
            times.mark("bicubic")
        else:
            job = self._job(picture.rgb(), wish.scale, picture.store)
            with self._followed(wish.ticket, job):
                (result,) = await self._run([job])
            times.mark("queue", until=job.started)
            times.mark("network")
            self.metrics.upscaled(wish.scale, pixels)
        encoded = await self._in_thread(
            pixels, bodies.encode, result, picture, wish.scale, wish.encoding
        )
        times.mark("encode")
        media_type = bodies.ENCODINGS[wish.encoding][2]
        return web.Response(
            body=encoded, content_type=media_type, headers={"Server-Timing": str(times)}
        )

    def _wish(self, query) -> Wish:
        scales = self._model.scales
        unknown = sorted(set(query) - {"scale", "method", "format", "id"})
        if unknown:
            raise Refusal(
                400, "%r is not a parameter; there are scale, format and method." % unknown[0][:50]
            )
        default = str(scales[0]) if len(scales) == 1 else ""
        scale = query.get("scale", default)
        if scale not in [str(known) for known in scales]:
            listed = " or ".join("scale=%d" % known for known in scales)
            raise Refusal(400, "This model takes %s, not %r." % (listed, scale[:50]))
        method = _one_of(query, "method", METHODS)
        encoding = _one_of(query, "format", tuple(bodies.ENCODINGS))
        ticket = query.get("id", "")
        if ticket and (not _TICKET.match(ticket) or ticket in self._jobs):
            raise Refusal(400, "id takes 8 to 64 letters, digits and dashes, new ones each time.")
        return Wish(int(scale), method, encoding, ticket)

    @contextlib.contextmanager
    def _followed(self, ticket: str, job: Job):
        if ticket:
            self._jobs[ticket] = job
        try:
            yield
        finally:
            self._jobs.pop(ticket, None)

    async def _progress(self, request):
        """Tiles of the picture that /upscale was sent with this id; 0 while it has none."""
        job = self._jobs.get(request.match_info["ticket"])
        tiles, done = (job.tiles, job.done) if job else (0, 0)
        return web.json_response({"tiles": tiles, "done": done})

    async def _predict(self, request):
        self._check_name(request)
        with self._gate.place() as reserve:
            body = await read_body(request, self._gate.limits)
            answer = self._predicted(body, reserve)
            return await attended(request, answer, self._gate.limits.seconds)

    async def _predicted(self, body: bytes, reserve):
        """The answer to a predict request."""
        model, limits = self._model, self._gate.limits
        asked = await self._in_thread(len(body), rest.parse, body, model.signatures, model.scales)
        enlarged = asked.scale**2
        files = isinstance(asked.pictures, list)
        lr, total = [], 0
        for one in asked.pictures:
            total += await self._in_thread(0, _size_of_file, one) if files else one[..., 0].size
            _check_total(total * enlarged, limits.pixels if files else limits.json_pixels, files)
        pixels = total * enlarged
        reserve(pixels)
        for one in asked.pictures:
            lr.append(await self._in_thread(pixels, _decoded, model, one) if files else one)
        store = to_uint8 if files else np.asarray
        results = await self._run([self._job(one, asked.scale, store) for one in lr])
        self.metrics.upscaled(asked.scale, pixels)
        if files:
            results = [await self._in_thread(pixels, model.encode, one) for one in results]
        text = await self._in_thread(pixels, rest.response, results, asked.by_rows)
        return web.Response(body=text, content_type="application/json")

    def _check_name(self, request) -> None:
        name = request.match_info["name"]
        version = request.match_info.get("version")
        if name != self._name:
            raise Refusal(404, "Servable not found for request: Latest(%s)" % name[:100])
        if version not in (None, str(self._model.version)):
            asked = "Specific(%s, %s)" % (name, version[:20])
            raise Refusal(404, "Servable not found for request: %s" % asked)

    async def _status(self, request):
        self._check_name(request)
        return web.json_response(rest.status(self._model.version))

    async def _metadata(self, request):
        self._check_name(request)
        model = self._model
        return web.json_response(rest.metadata(self._name, model.version, model.signatures))

    async def _health(self, _):
        if self._gate.closing or not self._worker.alive:
            raise Refusal(503, "The server is shutting down.", retry_after=5)
        return web.json_response({"status": "ok"})

    async def _metrics(self, _):
        return web.Response(
            body=self.metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"}
        )

    async def _about(self, _):
        """What the page needs to know."""
        limits, model = self._gate.limits, self._model
        return web.json_response(
            {
                "model": self._name,
                "version": model.version,
                "scales": model.scales,
                "body_bytes": limits.body_bytes,
                "pixels": limits.pixels,
            }
        )


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


def _size_of_file(encoded: bytes) -> int:
    """Pixels of a file in a predict request; where its header is no good, decoding will say so."""
    try:
        height, width = bodies.look(encoded, 2**62)
    except Refusal:
        return 0
    return height * width


def _check_total(pixels: int, most: int, files: bool) -> None:
    if pixels > most:
        advice = "" if files else "; the _bytes signatures take more"
        raise Refusal(413, "The results have more than %d pixels, the limit%s." % (most, advice))


def _decoded(model: Model, encoded: bytes):
    try:
        return model.decode(encoded)
    except ValueError as error:
        raise Refusal(400, "A picture cannot be decoded: %s." % error) from None


def _refused(refusal: Refusal) -> web.Response:
    headers = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(refusal.retry_after)
    return web.Response(
        text=json.dumps({"error": refusal.sentence}) + "\n",
        status=refusal.status,
        headers=headers,
        content_type="application/json",
    )


def _http_sentence(request, error) -> str:
    if error.status == 404:
        return "There is nothing at %s." % request.path[:100]
    if error.status == 405:
        return "%s does not take %s." % (request.path[:100], request.method[:20])
    return "%s." % error.reason
