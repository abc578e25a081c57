"""The command `bsrn-serve`, or `python -m bsrn_estimator.serve`: its flags, and what they start.

Imports no more than flags need: a mistake is answered before TensorFlow is there, and what is not
installed is named instead of met.
"""

import argparse
import asyncio
import contextlib
import importlib.util
import logging
import os
import re
import sys
import tempfile
from typing import Any, Iterator, List, Optional

from bsrn_estimator import scales
from bsrn_estimator.checkpoints import AUTO, SHIPPED, automatic
from bsrn_estimator.checkpoints.options import UseOptions
from bsrn_estimator.checkpoints.usable import TENSORFLOW
from bsrn_estimator.engines import choice, runtimes
from bsrn_estimator.errors import UserError
from bsrn_estimator.export import finding
from bsrn_estimator.export.options import ExportOptions
from bsrn_estimator.pictures import tiling
from bsrn_estimator.serve.limits import Limits

_COMMAND = "bsrn-serve"
# The packages of the extra `serve`.
_NEEDED = ("aiohttp", "ijson", "prometheus_client")
_ORIGIN = re.compile(r"\*$|https?://[^/\s,*]+$")

# Smaller than what `predict` uses: between two tiles of a large picture small ones have a turn.
_TILE = 128


def _parser() -> argparse.ArgumentParser:
    limits = Limits()
    called = os.path.basename(sys.argv[0])
    parser = argparse.ArgumentParser(
        prog=called if called.startswith(_COMMAND) else "python -m bsrn_estimator.serve",
        description="Serves an exported network over HTTP: TensorFlow Serving's REST form under "
        "/v1/models/NAME, POST /upscale?scale=4, a page at /, /healthz and /metrics.",
        allow_abbrev=False,
    )

    def add(name, metavar, default, kind, text):
        shown = " (default: %s)" % default if default not in (None, "") else ""
        parser.add_argument(name, metavar=metavar, default=default, type=kind, help=text + shown)

    add(
        "--model",
        "EXPORT",
        AUTO,
        str,
        "what --mode=export wrote: a folder, or an ONNX model; or a network that comes with the "
        "project: clean, photo, or auto for both, photo for what comes as JPEG or lossy WebP",
    )
    parser.add_argument(
        "--engine",
        choices=runtimes.ENGINES,
        default=runtimes.AUTO,
        help="what computes the network (default: auto, the fastest that is installed; a "
        "SavedModel takes tensorflow)",
    )
    add("--model_name", "NAME", "bsrn", str, "its name in /v1/models/NAME")
    add("--scales", "2,4", "", str, "serve these alone; without it, all of the export")
    add("--host", "ADDRESS", "127.0.0.1", str, "what to listen on; 0.0.0.0 for the network")
    add("--port", "PORT", 8501, _port, "port to listen on; 0 takes a free one")
    add("--max_body_mb", "MIB", limits.body_bytes // 2**20, _positive, "largest body of a request")
    add("--max_pixels", "PIXELS", limits.pixels, _whole, "largest result, height times width")
    add("--max_queue", "REQUESTS", limits.queue, _whole, "requests in progress at once")
    add("--timeout", "SECONDS", limits.seconds, _positive, "longest time for a request")
    add(
        "--patience",
        "SECONDS",
        limits.pace_seconds,
        _positive,
        "time for a request's head, and for each 64 KiB that a client sends or takes",
    )
    add("--cors", "ORIGIN", "", _origin, "site whose pages may ask, https://example.org, or *")
    add("--grace", "SECONDS", 30, _positive, "time for what runs when SIGTERM comes")
    add(
        "--tile",
        "PIXELS",
        None,
        _whole,
        "largest tile, side of a square in LR pixels; without it, by scale",
    )
    add(
        "--overlap",
        "PIXELS",
        None,
        int,
        "context around a tile, in LR pixels; without it, what the network needs",
    )
    parser.add_argument(
        "--mixed_precision",
        action="store_true",
        default=None,
        help="convolutions in bfloat16 (default: where the CPU has it)",
    )
    parser.add_argument(
        "--nomixed_precision",
        dest="mixed_precision",
        action="store_false",
        help="everything in float32",
    )
    return parser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError("takes a number above 0, not %s" % text)
    return value


def _whole(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("takes a whole number above 0, not %s" % text)
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value < 2**16:
        raise argparse.ArgumentTypeError("takes a number from 0 to 65535, not %s" % text)
    return value


def _origin(text: str) -> str:
    if text and not _ORIGIN.match(text):
        raise argparse.ArgumentTypeError(
            "takes * or one such as https://example.org, not %s" % text
        )
    return text


def main(arguments: Optional[List[str]] = None) -> int:
    """Serves until SIGTERM; returns the exit status."""
    flags = _parser().parse_args(arguments)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO)
    try:
        _require_extra()
        _serve(flags)
    except UserError as error:
        print("error: %s" % error, file=sys.stderr)
        return 2
    return 0


def run() -> None:
    """The entry point of the command."""
    sys.exit(main())


def _require_extra() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            "serving needs %s; install what is missing: python -m pip install %s"
            % (", ".join(_NEEDED), " ".join(missing))
        )


def _serve(flags) -> None:
    from bsrn_estimator.serve import server

    wanted = scales.parsed(flags.scales) if flags.scales else None
    _tile_of(flags)  # Refuses what it can before a network is loaded.
    bound = server.bind(flags.host, flags.port)
    with bound:
        # After the address is had: to load a network takes seconds.
        from bsrn_estimator.serve.app import Service
        from bsrn_estimator.serve.networks import Networks

        words = automatic.WORDS if flags.model == AUTO else ("",)
        networks = Networks({word: _loaded(word or flags.model, flags, wanted) for word in words})
        if flags.overlap is None:
            flags.overlap = networks.first.overlap
        tile_of = _tile_of(flags)
        networks.warm_up()
        asyncio.run(_run(flags, networks, tile_of, bound, Service))
        networks.close()


def _loaded(model: str, flags, wanted) -> Any:
    """The network that `model` means, in memory."""
    return _without_tensorflow(model, flags, wanted) or _in_tensorflow(model, flags, wanted)


def _without_tensorflow(model: str, flags, wanted) -> Any:
    """The model in the engine that is to run it; None where that is TensorFlow."""
    if not (
        model in SHIPPED
        or finding.is_onnx(model)
        or flags.engine not in (runtimes.AUTO, TENSORFLOW)
    ):
        return None
    network = choice.find(
        UseOptions(checkpoint=model), choice.Wish(flags.engine, flags.mixed_precision)
    )
    if network is None:
        return None
    from bsrn_estimator.serve.onnx_model import OnnxModel

    return OnnxModel(network, wanted, flags.max_pixels, _shown(flags))


def _in_tensorflow(model: str, flags, wanted) -> Any:
    from bsrn_estimator.platforms.choice import present
    from bsrn_estimator.serve.model import Model

    precision = present().precision_of_pictures(flags.mixed_precision)
    with _exported(model) as folder:
        return Model(folder, wanted, flags.max_pixels, _shown(flags), precision)


def _shown(flags) -> str:
    """What messages call a network that comes with the project."""
    return "--model=" + flags.model if flags.model in SHIPPED + (AUTO,) else ""


@contextlib.contextmanager
def _exported(model: str) -> Iterator[str]:
    """The export that `model` means; that of the network which comes with the project is made."""
    if model not in SHIPPED:
        yield model
        return
    from bsrn_estimator.checkpoints import trained
    from bsrn_estimator.export import export

    with tempfile.TemporaryDirectory(prefix="bsrn-") as folder:
        network = trained.find(model)
        (path,) = export.export(network, network.scales, ExportOptions(export_dir=folder))
        yield path


def _tile_of(flags):
    """From a scale to the side of a tile, checked against the overlap."""
    overlap = tiling.OVERLAP if flags.overlap is None else flags.overlap

    def tile_of(scale: int) -> int:
        return flags.tile or min(max(_TILE, 4 * overlap), tiling.default_tile(scale, overlap))

    for scale in scales.SUPPORTED:
        if tile_of(scale) <= 2 * overlap:
            raise UserError(
                "--tile=%d leaves nothing between two margins of --overlap=%d; make it larger "
                "than %d, or the overlap smaller" % (tile_of(scale), overlap, 2 * overlap)
            )
    return tile_of


async def _run(flags, networks, tile_of, bound, service) -> None:
    from bsrn_estimator.serve import server
    from bsrn_estimator.serve.admission import Gate

    limits = Limits(
        body_bytes=int(flags.max_body_mb * 2**20),
        pixels=flags.max_pixels,
        json_pixels=min(flags.max_pixels, Limits.json_pixels),
        queue=flags.max_queue,
        queue_pixels=2 * flags.max_pixels,
        queue_bytes=int(flags.max_queue * flags.max_body_mb * 2**20),
        seconds=flags.timeout,
        pace_seconds=flags.patience,
    )
    gate = Gate(limits)

    def service_of():
        return service(networks, flags.model_name, gate, tile_of, flags.overlap, flags.cors)

    def on_ready():
        host, port = bound.getsockname()[:2]
        address = "[%s]" % host if ":" in host else host
        said = _serving(flags, networks)
        print("serving %s at http://%s:%d/" % (said, address, port), flush=True)

    await server.run(service_of, bound, gate, flags.grace, on_ready)


def _serving(flags, networks) -> str:
    """What is served, in the line that says so."""
    model = networks.first
    shown = flags.model if flags.model in SHIPPED + (AUTO,) else model.folder
    versions = ", ".join(
        ("%s version %d" % (word, one.version)).strip() for word, one in networks.models.items()
    )
    listed = scales.listed(networks.scales)
    return "%s (%s, %s, %s by %s)" % (shown, versions, listed, model.precision, model.engine)
