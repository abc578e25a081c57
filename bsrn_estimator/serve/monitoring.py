"""What /metrics tells, in Prometheus' text form."""

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)


class Metrics:
    """The counters of one server, in a registry of their own."""

    def __init__(self):
        registry = self._registry = CollectorRegistry()
        for collector in (
            prometheus_client.ProcessCollector,
            prometheus_client.PlatformCollector,
            prometheus_client.GCCollector,
        ):
            collector(registry=registry)
        self._model = Info("bsrn_model", "A model that is served.", ["name"], registry=registry)
        self._requests = Counter(
            "bsrn_requests", "Answered requests.", ["route", "status"], registry=registry
        )
        self._latency = Histogram(
            "bsrn_request_seconds",
            "From a request's head to its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._queue = Gauge(
            "bsrn_requests_in_progress", "Requests that wait or run.", registry=registry
        )
        self._queue_pixels = Gauge(
            "bsrn_pixels_in_progress", "Pixels of the results they wait for.", registry=registry
        )
        self._arriving = Gauge(
            "bsrn_arriving_bytes", "Bodies that have not arrived yet.", registry=registry
        )
        self._pixels = Counter(
            "bsrn_result_pixels", "Pixels of the results sent.", ["scale"], registry=registry
        )
        self._batch_tiles = Histogram(
            "bsrn_batch_tiles",
            "Tiles that shared one run of the network.",
            buckets=(1, 2, 4, 8, 16, 32, 64),
            registry=registry,
        )
        self._batch_seconds = Histogram(
            "bsrn_batch_seconds", "Time of one run.", buckets=_SECONDS, registry=registry
        )

    def watch(self, gate) -> None:
        """Reads the queue from `gate` when asked."""
        self._queue.set_function(lambda: gate.requests)
        self._queue_pixels.set_function(lambda: gate.pixels)
        self._arriving.set_function(lambda: gate.arriving)

    def describe(self, name: str, version: int, scales) -> None:
        """Says which model it is."""
        listed = ",".join(str(scale) for scale in scales)
        self._model.labels(name).info({"version": str(version), "scales": listed})

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Counts a request; `route` is a pattern, not the path that was asked for."""
        self._requests.labels(route, str(status)).inc()
        self._latency.labels(route).observe(seconds)

    def upscaled(self, scale: int, pixels: int) -> None:
        """Counts the pixels of a result."""
        self._pixels.labels(str(scale)).inc(pixels)

    def ran(self, tiles: int, seconds: float) -> None:
        """Counts a run of the network."""
        self._batch_tiles.observe(tiles)
        self._batch_seconds.observe(seconds)

    def text(self) -> bytes:
        """All of it, for /metrics."""
        return prometheus_client.generate_latest(self._registry)
