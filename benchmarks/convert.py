"""Measures the conversion against the bare decoding and encoding that it cannot do without.

    python -m benchmarks.convert --pictures=DIR
    python -m benchmarks.convert --pictures=DIR --beam

The baseline decodes the same files with Pillow and encodes the same tiles with OpenCV, in a plain
loop, and writes nothing; Pillow and OpenCV are what the conversion uses. Each form runs several
times, in turn, and the least processor time counts, which a busy machine disturbs least. The
second figure is what two workers gain, in wall-clock time with the start of processes, beside
what two processes of the baseline gain: cores that share arithmetic units give less than twice.
"""

import argparse
import io
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time

import cv2
import numpy as np
from PIL import Image

from benchmarks import _report
from bsrn_estimator.data.tiles import tiles_of
from bsrn_estimator.pictures.decoding import read_rgb
from bsrn_estimator.pictures.files import walk
from bsrn_estimator.pictures.imresize import shrink
from data_tools.convert import convert
from data_tools.encoding import encode_pixels
from data_tools.options import ConversionOptions

SIZE = (1356, 2040)  # what most pictures of DIV2K measure
SCALES = (2, 3, 4)
_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", help="folder of photographs to make large ones from")
    parser.add_argument("--count", type=int, default=12, help="pictures to convert")
    parser.add_argument("--rounds", type=int, default=2, help="how often each form runs")
    parser.add_argument("--encoding", choices=("png", "raw"), default="png")
    parser.add_argument(
        "--beam", action="store_true", help="Apache Beam's DirectRunner against two workers"
    )
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="benchmark-convert-")
    try:
        (_measure_beam if arguments.beam else _measure)(arguments, folder)
    finally:
        shutil.rmtree(folder)


def _measure(arguments, folder: str) -> None:
    _make_set(arguments.pictures, arguments.count, folder)
    forms = ("bare", "bare, two processes", "given LR", "made LR", "two workers")
    rows = {name: [] for name in forms}
    for _ in range(arguments.rounds):
        rows["bare"].append(_timed(lambda: _bare(folder, arguments.encoding)))
        rows["bare, two processes"].append(_timed(lambda: _bare_twice(folder, arguments.encoding)))
        rows["given LR"].append(_timed(lambda: _convert("div2k", folder, arguments.encoding, 1)))
        rows["made LR"].append(_timed(lambda: _convert("folder", folder, arguments.encoding, 1)))
        rows["two workers"].append(_timed(lambda: _convert("div2k", folder, arguments.encoding, 2)))
    wall = {name: min(wall for wall, _ in times) for name, times in rows.items()}
    cpu = {name: min(cpu for _, cpu in times) for name, times in rows.items()}
    resizing = _shrinking(folder)
    _report.print_table(
        ("form", "wall s/picture", "processor s/picture", "against bare"),
        [
            (n, wall[n] / arguments.count, cpu[n] / arguments.count, cpu[n] / cpu["bare"])
            for n in rows
        ]
        + [("bicubic x2 x3 x4", None, resizing / arguments.count, resizing / cpu["bare"])],
    )
    _print_encoders(folder)
    speedup = wall["given LR"] / wall["two workers"]
    of_machine = wall["bare"] / wall["bare, two processes"]
    print(
        "two workers against one: %.2f times; two processes of the baseline: %.2f times "
        "(wall-clock, %d pictures)" % (speedup, of_machine, arguments.count)
    )
    facts = _report.machine()
    _report.print_machine(facts)
    _report.print_result(
        "convert_%s" % arguments.encoding,
        cpu["given LR"] / arguments.count,
        "processor seconds per picture",
        cpu["bare"] / arguments.count,
        _report.peak_memory_mb(),
        worker_peak_memory_mb=resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6,
        two_workers_against_one=speedup,
        two_bare_processes_against_one=of_machine,
        bicubic_seconds_per_picture=resizing / arguments.count,
        machine=facts,
    )


def _measure_beam(arguments, folder: str) -> None:
    """Two processes of DirectRunner against two workers of this project."""
    _make_set(arguments.pictures, arguments.count, folder)
    forms = {"two workers": None, "DirectRunner, two processes": "DirectRunner"}
    times = {name: [] for name in forms}
    for _ in range(arguments.rounds):
        for name, runner in forms.items():
            times[name].append(
                _timed(
                    lambda runner=runner: _convert(
                        "div2k", folder, arguments.encoding, 2, runner=runner, shard_bytes=10**7
                    )
                )
            )
    least = {name: [min(column) for column in zip(*rows)] for name, rows in times.items()}
    base = least["two workers"][1]
    _report.print_table(
        ("form", "wall s", "processor s", "against two workers"),
        [(name, wall, cpu, cpu / base) for name, (wall, cpu) in least.items()],
    )
    facts = _report.machine()
    _report.print_machine(facts)
    _report.print_result(
        "convert_beam_%s" % arguments.encoding,
        least["DirectRunner, two processes"][1],
        "processor seconds, %d pictures" % arguments.count,
        base,
        _report.peak_memory_mb(),
        pictures=arguments.count,
        wall_ratio=least["DirectRunner, two processes"][0] / least["two workers"][0],
        machine=facts,
    )


def _make_set(source, count: int, folder: str) -> None:
    """`count` large pictures with their LR pictures, laid out as DIV2K."""
    random = np.random.RandomState(1)
    paths = []
    if source:
        paths = [os.path.join(source, path) for path in walk(source).paths]
    parts = [read_rgb(path) for path in paths] or [_texture(random) for _ in range(8)]
    for number in range(count):
        picture = np.zeros(SIZE + (3,), np.uint8)
        for y in range(0, SIZE[0], 256):
            for x in range(0, SIZE[1], 256):
                part = parts[random.randint(len(parts))][:256, :256]
                part = np.tile(part, (256 // part.shape[0] + 1, 256 // part.shape[1] + 1, 1))
                room = picture[y : y + 256, x : x + 256]
                room[...] = part[: room.shape[0], : room.shape[1]]
        name = "%04d" % (number + 1)
        _save(picture, folder, "DIV2K_train_HR", name)
        for scale in SCALES:
            lr = os.path.join("DIV2K_train_LR_bicubic", "X%d" % scale)
            _save(shrink(picture, scale), folder, lr, "%sx%d" % (name, scale))


def _texture(random) -> np.ndarray:
    """A soft random texture with some noise, for machines without photographs."""
    coarse = random.randint(0, 256, (33, 33, 3)).astype(np.uint8)
    soft = cv2.resize(coarse, (256, 256), interpolation=cv2.INTER_CUBIC).astype(int)
    return np.clip(soft + random.randint(-3, 4, soft.shape), 0, 255).astype(np.uint8)


def _save(pixels: np.ndarray, *parts: str) -> None:
    path = os.path.join(*parts) + ".png"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Image.fromarray(pixels).save(path)


def _files(folder: str):
    """The HR file and the LR files of every picture."""
    hr_folder = os.path.join(folder, "DIV2K_train_HR")
    for name in sorted(os.listdir(hr_folder)):
        lr = {
            s: os.path.join(
                folder, "DIV2K_train_LR_bicubic", "X%d" % s, name.replace(".", "x%d." % s)
            )
            for s in SCALES
        }
        yield os.path.join(hr_folder, name), lr


def _bare_twice(folder: str, encoding: str) -> None:
    context = multiprocessing.get_context("fork")
    halves = [context.Process(target=_bare, args=(folder, encoding, half, 2)) for half in (0, 1)]
    for process in halves:
        process.start()
    for process in halves:
        process.join()


def _bare(folder: str, encoding: str, part: int = 0, parts: int = 1) -> None:
    options = ConversionOptions("div2k", folder).complete()
    for hr_path, lr_paths in list(_files(folder))[part::parts]:
        pictures = {1: np.asarray(Image.open(hr_path))}
        pictures.update((s, np.asarray(Image.open(path))) for s, path in lr_paths.items())
        for tile in tiles_of(SIZE, options.tile_size, options.overlap, SCALES):
            for scale, pixels in pictures.items():
                y, x, height, width = (value // scale for value in tile[:4])
                part = pixels[y : y + height, x : x + width]
                if encoding == "raw":
                    part.tobytes()
                else:
                    cv2.imencode(".png", np.ascontiguousarray(part[:, :, ::-1]), _PNG)[1].tobytes()


def _convert(dataset: str, folder: str, encoding: str, workers: int, **more) -> None:
    source = folder if dataset == "div2k" else os.path.join(folder, "DIV2K_train_HR")
    out = os.path.join(folder, "out")
    options = ConversionOptions(dataset, source, out, encoding=encoding, workers=workers, **more)
    stderr, sys.stderr = sys.stderr, io.StringIO()
    try:
        convert(options.complete())
    finally:
        sys.stderr = stderr
    shutil.rmtree(out)


def _shrinking(folder: str) -> float:
    """Processor seconds that the LR pictures of all pictures take, decoding left out."""
    seconds = 0.0
    for hr_path, _ in _files(folder):
        hr = np.asarray(Image.open(hr_path))
        seconds += _timed(lambda: [shrink(hr, scale) for scale in SCALES])[1]  # noqa: B023
    return seconds


def _print_encoders(folder: str) -> None:
    """What one tile costs in the form that records have, and in other forms of PNG."""
    tile = np.asarray(Image.open(next(_files(folder))[0]))[:480, :480]

    def pillow(level: int) -> bytes:
        file = io.BytesIO()
        Image.fromarray(tile).save(file, "PNG", compress_level=level)
        return file.getvalue()

    forms = [("records: OpenCV, run lengths", lambda: encode_pixels(tile, "png"))]
    forms += [("Pillow, level %d" % level, lambda n=level: pillow(n)) for level in (1, 6, 9)]
    rows = []
    for name, encode in forms:
        seconds = min(_timed(encode)[1] for _ in range(5))
        rows.append((name, 1000 * seconds, len(encode()) / 1000))
    _report.print_table(("a tile of 480x480 as PNG", "processor ms", "kB"), rows)


def _timed(function):
    """Wall-clock and processor seconds, the processes that it waited for included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall, cpu = time.perf_counter(), time.process_time()
    function()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    children = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return time.perf_counter() - wall, time.process_time() - cpu + children


if __name__ == "__main__":
    main()
