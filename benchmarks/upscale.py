"""How long the ensemble takes and what memory, against the plain form; and what tiles cost.

    python -m benchmarks.upscale              the ensemble, x4, at 120x80 and 510x339 LR pixels
    python -m benchmarks.upscale --pretrained the network that comes with the project, 1280x720
    python -m benchmarks.upscale --tiles      memory of pictures of 0.5, 2 and 8 megapixels
    python -m benchmarks.upscale --engines --pictures=HR_DIR
                                              predict beside other ways to run the same network
    python -m benchmarks.upscale --overlap --checkpoint=CKPT --pictures=DIR
                                              the least overlap of tiles

The plain form is the network as the paper draws it: features and block state are concatenated
before each convolution and split after it, every output has an upscaler and a last convolution of
its own, and the ensemble is taken of the pictures. Each measurement runs in a process of its own;
times are processor time of all threads, which other work on the machine changes little.
"""

import argparse
import contextlib
import os

import numpy as np

from benchmarks import _engines, _plain_network, _report
from bsrn_estimator.checkpoints import PRETRAINED, trained
from bsrn_estimator.checkpoints.usable import UsableNetwork
from bsrn_estimator.compat import tf
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.networks.bsrn import Bsrn
from bsrn_estimator.networks.choice import OutputChoice
from bsrn_estimator.pictures import files as picture_files
from bsrn_estimator.pictures.decoding import read_rgb
from bsrn_estimator.pictures.picture import to_uint8
from bsrn_estimator.pictures.tiling import windows

_SIZES = ((80, 120), (339, 510))
_SCALE = 4
_RESULT = (720, 1280)
_OVERLAPS = (4, 6, 8, 10, 12, 16, 20, 24)
_MEGAPIXELS = {0.5: (612, 816), 2.0: (1224, 1632), 8.0: (2448, 3264)}


def run_form(form: str, scale: int, pretrained: bool, size, repeats: int) -> None:
    """Measures one form on an LR picture of `size` in this process and prints the result line."""
    height, width = size
    network = trained.find(PRETRAINED).network if pretrained else Bsrn()
    network = network.replace(scales=(scale,))
    # "short" leaves the outputs out whose weight is 2^-8 and less.
    build = {
        "plain": _plain_network.ensemble,
        "ours": lambda lr, *_: network.pictures(lr, scale, OutputChoice())[0],
        "short": lambda lr, *_: network.pictures(lr, scale, OutputChoice(first_output=8))[0],
    }
    lr = np.random.RandomState(0).randint(0, 256, (1, height, width, 3)).astype(np.float32)
    with tf.Graph().as_default():
        tf.set_random_seed(1)
        placeholder = tf.placeholder(tf.float32, [1, height, width, 3])
        result = build[form](placeholder, scale, network)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            if repeats > 1:
                session.run(result.op, {placeholder: lr})  # plans and allocates
            with _report.measured() as usage:
                for _ in range(repeats):
                    session.run(result.op, {placeholder: lr})
    _report.print_result(
        "ensemble %s %dx%d" % (form, width, height),
        usage.cpu_seconds / repeats,
        "CPU seconds per picture",
        None,
        _report.peak_memory_mb(),
        wall_seconds=usage.seconds / repeats,
    )


def run_tiles(megapixels: float, most: int) -> None:
    """Upscales the first tiles of a large picture with a full network of first weights."""
    lr = np.random.RandomState(0).randint(0, 256, _MEGAPIXELS[megapixels] + (3,), dtype=np.uint8)
    with _report.measured() as usage, Upscaler(RandomNetwork()) as upscaler:
        before = _report.peak_memory_mb()
        tiles, count = upscaler.tiles(lr.shape[0], lr.shape[1], _SCALE), [0]

        def on_tile():
            count[0] += 1
            if count[0] == most:
                raise StopIteration

        with contextlib.suppress(StopIteration, RuntimeError):
            for _ in upscaler.bands(lr, _SCALE, on_tile=on_tile):
                pass
    _report.print_result(
        "tiles",
        _report.peak_memory_mb(),
        "MB",
        None,
        _report.peak_memory_mb(),
        before_mb=before,
        tiles=tiles,
        tiles_run=count[0],
        cpu_seconds_a_tile=usage.cpu_seconds / count[0],
    )


class RandomNetwork(UsableNetwork):
    """A full network with its first weights."""

    scales, step, name = (_SCALE,), 0, "random"

    @property
    def parameters(self) -> int:
        """See `UsableNetwork.parameters`."""
        return Bsrn().parameters()

    def tile(self, scale: int) -> int:
        """As that of a trained network."""
        return Bsrn().tile

    def identity(self) -> str:
        """Nobody asks."""
        return ""

    def open(self, scales, choice):
        """See `UsableNetwork.open`."""
        network = Bsrn(scales=tuple(scales))
        with tf.Graph().as_default():
            tf.set_random_seed(1)
            lr = tf.placeholder(tf.float32, [1, None, None, 3])
            hr = network.pictures(lr, scales[0], choice)[0]
            session = tf.Session()
            session.run(tf.global_variables_initializer())
        return ("ensemble",), lambda picture, _: [session.run(hr, {lr: picture})], session.close


def compare_forms(arguments) -> None:
    """Ours against the plain form, at both sizes."""
    rows, last = [], None
    for height, width in _SIZES[: 1 if arguments.quick else 2]:
        found = {}
        for form in ("plain", "ours", "short"):
            repeats = arguments.repeats if height < 100 else 1
            found[form] = _child("--form=%s" % form, _SCALE, (height, width), repeats)
        for form, result in found.items():
            rows.append(
                [
                    "%dx%d" % (width, height),
                    form,
                    result["value"],
                    result["wall_seconds"],
                    result["value"] / found["plain"]["value"],
                    result["peak_memory_mb"],
                    result["peak_memory_mb"] / found["plain"]["peak_memory_mb"],
                ]
            )
        last = found
    columns = ["LR", "form", "CPU s", "wall s", "ratio", "peak MB", "ratio of memory"]
    _report.print_table(columns, rows)
    _report.print_machine(_report.machine())
    _report.print_result(
        "upscaling with the ensemble, x4, %dx%d LR" % (width, height),
        last["ours"]["value"],
        "CPU seconds per picture",
        last["plain"]["value"],
        last["ours"]["peak_memory_mb"],
        baseline_peak_memory_mb=last["plain"]["peak_memory_mb"],
        ratio_without_first_8=last["short"]["value"] / last["plain"]["value"],
    )


def compare_pretrained(arguments) -> None:
    """The network that comes with the project, for a result of 1280x720, against its plain form."""
    rows = []
    for scale in trained.find(PRETRAINED).scales:
        size = [side // scale for side in _RESULT]
        ours, plain = (
            _child("--form=" + form, scale, size, arguments.repeats, ["--pretrained"])
            for form in ("ours", "plain")
        )
        rows.append(
            [
                scale,
                ours["value"],
                ours["wall_seconds"],
                ours["value"] / plain["value"],
                ours["peak_memory_mb"],
                ours["peak_memory_mb"] / plain["peak_memory_mb"],
            ]
        )
    _report.print_table(
        ["scale", "CPU s", "wall s", "of plain", "peak MB", "of plain's"],
        rows,
    )
    _report.print_machine(_report.machine())
    _report.print_result(
        "upscaling with the pretrained network, x%d to 1280x720" % scale,
        ours["value"],
        "CPU seconds per picture",
        plain["value"],
        ours["peak_memory_mb"],
        baseline_peak_memory_mb=plain["peak_memory_mb"],
    )


def _child(form: str, scale: int, size, repeats: int, more=()):
    sizes = ["--scale=%d" % scale, "--height=%d" % size[0], "--width=%d" % size[1]]
    options = [form, "--repeats=%d" % repeats] + sizes + list(more)
    return _report.in_child("benchmarks.upscale", options)


def compare_sizes(arguments) -> None:
    """Peak memory of large pictures in tiles."""
    found = {
        megapixels: _report.in_child(
            "benchmarks.upscale",
            ["--megapixels=%g" % megapixels, "--most=%d" % arguments.most],
        )
        for megapixels in _MEGAPIXELS
    }
    names = ["tiles", "tiles_run", "cpu_seconds_a_tile", "before_mb", "peak_memory_mb"]
    rows = [[size] + [result[name] for name in names] for size, result in found.items()]
    _report.print_table(["LR megapixels"] + names, rows)
    _report.print_machine(_report.machine())
    _report.print_result(
        "peak memory of 8 megapixels in tiles, x4",
        found[8.0]["value"],
        "MB",
        found[0.5]["value"],
        found[8.0]["value"],
    )


def measure_overlap(arguments) -> None:
    """The least overlap with which no sample of a result is more than one grey level off."""
    told = {name: getattr(arguments, name) for name in ("recursions", "recursion_frequency")}
    given = {name: value for name, value in told.items() if value is not None}
    trained_network = trained.find(arguments.checkpoint, given)
    files = picture_files.find(arguments.pictures, os.devnull).files[: arguments.count]
    pictures = [read_rgb(file.path)[: arguments.side, : arguments.side] for file in files]
    rows, least = [], {}
    for scale in trained_network.scales:
        with Upscaler(trained_network, tile=10**6, scales=[scale]) as whole:
            expected = [to_uint8(whole.upscale(picture, scale)) for picture in pictures]
        for overlap in _OVERLAPS:
            tile = 2 * overlap + 32
            with Upscaler(trained_network, tile=tile, overlap=overlap, scales=[scale]) as upscaler:
                off = [
                    np.abs(to_uint8(upscaler.upscale(picture, scale)).astype(int) - whole_picture)
                    for picture, whole_picture in zip(pictures, expected)
                ]
            worst = int(max(difference.max() for difference in off))
            share = float(np.mean([(difference > 0).mean() for difference in off]))
            rows.append([scale, overlap, worst, share])
            if worst <= 1:
                least.setdefault(scale, overlap)
            if worst == 0:
                break
    _report.print_table(["scale", "overlap", "grey levels off", "share of samples off"], rows)
    seams = len(windows(pictures[0].shape[0], tile, overlap)) - 1
    print("%d pictures, %d seams along each side" % (len(pictures), seams))
    _report.print_machine(_report.machine())
    _report.print_result(
        "least overlap within one grey level",
        max(least.get(scale, -1) for scale in trained_network.scales),
        "LR pixels",
        None,
        _report.peak_memory_mb(),
        by_scale=least,
        network=trained_network.name,
    )


def main() -> None:
    """Reads the command line and runs one of the measurements."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tiles", action="store_true", help="memory of large pictures")
    parser.add_argument("--pretrained", action="store_true", help="the project's own network")
    parser.add_argument("--overlap", action="store_true", help="the least overlap of tiles")
    parser.add_argument("--engines", action="store_true", help="predict beside other engines")
    parser.add_argument("--quick", action="store_true", help="the smaller size alone")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--most", type=int, default=0, help="with --tiles: so many tiles; 0 for all"
    )
    parser.add_argument("--checkpoint", help="with --overlap: a trained network")
    parser.add_argument("--recursions", type=int)
    parser.add_argument("--recursion_frequency", type=int)
    parser.add_argument("--pictures", help="--overlap: LR pictures; --engines: HR, for PSNR")
    parser.add_argument("--count", type=int, default=5, help="with --overlap: so many pictures")
    parser.add_argument("--side", type=int, default=160, help="with --overlap: cropped to this")
    parser.add_argument("--form", help=argparse.SUPPRESS)
    parser.add_argument("--scale", type=int, default=_SCALE, help=argparse.SUPPRESS)
    parser.add_argument("--height", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--width", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--megapixels", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.form:
        size = (arguments.height, arguments.width)
        run_form(arguments.form, arguments.scale, arguments.pretrained, size, arguments.repeats)
    elif arguments.pretrained:
        compare_pretrained(arguments)
    elif arguments.megapixels:
        run_tiles(arguments.megapixels, arguments.most)
    elif arguments.overlap:
        if not arguments.pictures:
            parser.error("--overlap needs --pictures")
        measure_overlap(arguments)
    elif arguments.engines:
        _engines.compare(arguments.repeats, arguments.pictures, arguments.quick)
    elif arguments.tiles:
        compare_sizes(arguments)
    else:
        compare_forms(arguments)


if __name__ == "__main__":
    main()
