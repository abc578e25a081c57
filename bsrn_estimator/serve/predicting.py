"""The routes of TensorFlow Serving's REST form."""

from typing import Dict

import numpy as np
from aiohttp import web

from bsrn_estimator.pictures.picture import to_uint8
from bsrn_estimator.serve import rest, transfer
from bsrn_estimator.serve.admission import Gate, attended
from bsrn_estimator.serve.engine import Engine
from bsrn_estimator.serve.monitoring import Metrics
from bsrn_estimator.serve.refusal import Refusal
from bsrn_estimator.serve.served import ServedModel


class Predicting:
    """Prediction, status and metadata of models under their names."""

    def __init__(
        self, engine: Engine, models: Dict[str, ServedModel], gate: Gate, metrics: Metrics
    ):
        """Takes what it works with; `models` by name."""
        self._engine, self._models = engine, models
        self._gate, self._metrics = gate, metrics

    def add_routes(self, router) -> None:
        """Adds the routes, with and without a version."""
        model = "/v1/models/{name:[^/:]+}"
        for path in (model, model + "/versions/{version:[^/:]+}"):
            router.add_get(path, self._status)
            router.add_get(path + "/metadata", self._metadata)
            router.add_post(path + ":predict", self._predict)

    async def _predict(self, request):
        model = self._asked_for(request)
        limits = self._gate.limits
        self._gate.check()
        body = await transfer.read_body(request, self._gate)
        with self._gate.place() as reserve:
            if transfer.is_gzip(request):
                body = await self._engine.in_thread(len(body), transfer.inflated, body, limits)
            answer = self._predicted(model, body, reserve)
            pieces = await attended(request, answer, limits.seconds)
            headers = {"Content-Type": "application/json"}
            return await transfer.send(request, pieces, headers, limits)

    async def _predicted(self, model: ServedModel, body: bytes, reserve):
        """The pieces of the answer to a predict request."""
        in_thread = self._engine.in_thread
        asked = await in_thread(
            len(body), rest.parse, body, model.signatures, model.scales, self._gate.limits
        )
        files = isinstance(asked.pictures[0], bytes)
        reserve(asked.pixels)
        lr = asked.pictures
        if files:
            lr = [await in_thread(asked.pixels, _decoded, model, file) for file in lr]
        store = to_uint8 if files else np.asarray
        jobs = [self._engine.job(model, one, asked.scale, store) for one in lr]
        results = await self._engine.run(jobs)
        self._metrics.upscaled(asked.scale, asked.pixels)
        if files:
            results = [await in_thread(asked.pixels, model.encode, one) for one in results]
        return await in_thread(asked.pixels, _pieces, results, asked.by_rows)

    def _asked_for(self, request) -> ServedModel:
        name = request.match_info["name"]
        version = request.match_info.get("version")
        model = self._models.get(name)
        if model is None:
            raise Refusal(404, "Servable not found for request: Latest(%s)" % name[:100])
        if version not in (None, str(model.version)):
            asked = "Specific(%s, %s)" % (name, version[:20])
            raise Refusal(404, "Servable not found for request: %s" % asked)
        return model

    async def _status(self, request):
        return web.json_response(rest.status(self._asked_for(request).version))

    async def _metadata(self, request):
        model, name = self._asked_for(request), request.match_info["name"]
        return web.json_response(rest.metadata(name, model.version, model.signatures))


def _decoded(model: ServedModel, encoded: bytes) -> np.ndarray:
    try:
        return model.decode(encoded)
    except ValueError as error:
        raise Refusal(400, "A picture cannot be decoded: %s." % error) from None


def _pieces(results: list, by_rows: bool) -> list:
    return list(rest.response(results, by_rows))
