"""The routes together, and what every request goes through."""

import asyncio
import logging
import time

from aiohttp import web

from bsrn_estimator.serve import headers, page
from bsrn_estimator.serve.admission import ClientGone, Gate
from bsrn_estimator.serve.engine import Engine
from bsrn_estimator.serve.monitoring import Metrics
from bsrn_estimator.serve.networks import Networks
from bsrn_estimator.serve.predicting import Predicting
from bsrn_estimator.serve.refusal import Refusal
from bsrn_estimator.serve.upscaling import Upscaling

_log = logging.getLogger(__name__)

# Status of requests whose client went away; nobody receives it, the metrics show it.
_GONE = 499
_HOW_TO_SEND = {
    "/upscale": "; send a picture file with POST or PUT: curl --data-binary @picture.png or curl -T"
    " picture.png",
}


class Service:
    """One model, or several, and all that answers for them; belongs to the event loop's thread.

    Attributes:
      headers: what every answer has.
    """

    def __init__(
        self, networks: Networks, name: str, gate: Gate, tile_of, overlap: int, origin: str
    ):
        """Starts the worker.

        Args:
          networks: what to serve.
          name: the name of the first in the paths of TensorFlow Serving's API.
          gate: the bounds.
          tile_of: from a scale to the side of a square, in LR pixels, that no tile exceeds.
          overlap: context around what a tile keeps, in LR pixels.
          origin: the site whose scripts may ask, "*" or ""; see `headers`.
        """
        self._networks, self._name, self._gate, self._origin = networks, name, gate, origin
        self.headers = headers.of_answers(origin)
        self._metrics = Metrics()
        self._metrics.watch(gate)
        for called, model in networks.named(name).items():
            self._metrics.describe(called, model.version, model.scales)
        self._engine = Engine(networks.scales, tile_of, overlap, self._metrics.ran)

    def app(self) -> web.Application:
        """The application with all routes."""
        app = web.Application(middlewares=[self._guard])
        app.on_response_prepare.append(self._add_headers)
        router, metrics = app.router, self._metrics
        router.add_get("/healthz", self._health)
        router.add_get("/metrics", self._tell_metrics)
        router.add_get("/about", self._about)
        Upscaling(self._engine, self._networks, self._gate, metrics).add_routes(router)
        models = self._networks.named(self._name)
        predicting = Predicting(self._engine, models, self._gate, metrics)
        predicting.add_routes(router)
        page.add_routes(router)
        return app

    def stop(self) -> None:
        """Ends the network's thread; requests that wait for it are refused."""
        self._engine.stop()

    def close(self) -> None:
        """Ends the other threads."""
        self._engine.close()

    async def _add_headers(self, _, response) -> None:
        response.headers.update(self.headers)

    @web.middleware
    async def _guard(self, request, handler):
        """Turns whatever ends a handler into an answer, and counts it."""
        started = time.monotonic()
        request.protocol.head_arrived()
        try:
            if request.method == "OPTIONS" and self._origin:
                response = web.Response(status=204, headers=headers.PREFLIGHT)
            else:
                response = await handler(request)
        except ClientGone:
            response = web.Response(status=_GONE)
        except Refusal as refusal:
            response = refusal.response()
        except web.HTTPException as error:
            response = Refusal(error.status, _http_sentence(request, error)).response()
            response.headers.update({k: v for k, v in error.headers.items() if k == "Allow"})
        except asyncio.CancelledError:
            self._count(request, _GONE, started)
            raise
        except Exception:
            _log.exception("%s %s failed", request.method, request.path)
            response = Refusal(500, "The server failed; its log says why.").response()
        if response.status >= 400 and not request.content.is_eof():
            response.force_close()  # or what is left of the body would be read as a request
        elif response.keep_alive is not False:
            request.protocol.answered()
        self._count(request, response.status, started)
        return response

    def _count(self, request, status, started) -> None:
        resource = getattr(request.match_info.route, "resource", None)
        route = resource.canonical if resource else "unknown"
        self._metrics.answered(route, status, time.monotonic() - started)

    async def _health(self, _):
        if self._gate.closing or not self._engine.alive:
            raise Refusal(503, "The server is shutting down.", retry_after=5)
        return web.json_response({"status": "ok"})

    async def _tell_metrics(self, _):
        return web.Response(
            body=self._metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"}
        )

    async def _about(self, _):
        """What the page needs to know."""
        limits, networks = self._gate.limits, self._networks
        return web.json_response(
            {
                "model": self._name,
                "version": networks.first.version,
                "scales": networks.scales,
                "networks": networks.words,
                "body_bytes": limits.body_bytes,
                "pixels": limits.pixels,
            }
        )


def _http_sentence(request, error) -> str:
    path = request.path[:100]
    if error.status == 404:
        return "There is nothing at %s." % path
    if error.status == 405:
        taken = " and ".join(sorted(error.allowed_methods - {"HEAD"}))
        advice = _HOW_TO_SEND.get(request.path, "; it takes %s" % taken)
        return "%s does not take %s%s." % (path, request.method[:20], advice)
    return "%s." % error.reason
