"""Measures how many training patches a second the input function delivers.

    python -m benchmarks.input_pipeline --pictures=DIR
    python -m benchmarks.input_pipeline --pictures=DIR --degradations=jpeg,noise,blur

Pictures of 2040x1356 are converted by data_tools at scales 2, 3 and 4; then patches of 48x48 (LR)
are read in batches of 8, crop, flips and turns included, with nothing else going on. The baseline
is the plain loader: for every patch it decodes a whole HR and a whole LR file, and cuts the patch.
With --degradations the raw
records at x4 are read once more, and degraded so, in the shares of the recipe; a line compares the
two. Every form runs in a process of its own. What is read was just written, so it comes from
memory, not from a disk.
"""

import argparse
import os
import shutil
import tempfile
import time

import numpy as np

from benchmarks import _report

SIZE = (1356, 2040)  # what most pictures of DIV2K measure
SCALES = (2, 3, 4)
SCALE = 4
PATCH = 48
BATCH = 8
_PART = 256


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", help="folder of photographs to make large pictures from")
    parser.add_argument("--count", type=int, default=3, help="pictures to convert")
    parser.add_argument("--seconds", type=float, default=5, help="how long each form is measured")
    parser.add_argument("--patches_per_tile", type=int, default=8)
    for name in ("--tiles_in_play", "--parallel_calls"):
        parser.add_argument(name, type=int, help="default: as the input function chooses")
    parser.add_argument("--degradations", default="", help="some of jpeg,noise,blur")
    parser.add_argument("--form", choices=("plain", "random", "joint"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.form == "plain":
        _print_rate(_plain_batches(arguments.folder), BATCH, arguments.seconds)
    elif arguments.form:
        _measure_records(arguments)
    else:
        folder = tempfile.mkdtemp(prefix="benchmark-input-")
        try:
            _compare(arguments, folder)
        finally:
            shutil.rmtree(folder)


def _compare(arguments, folder: str) -> None:
    """Runs every form, prints the table and the result."""
    facts = _report.machine()
    few, many = os.path.join(folder, "few"), os.path.join(folder, "many")
    _make_pictures(arguments.pictures, arguments.count, few)
    _convert(few, "raw")
    _convert(few, "png")
    # The same pictures four times over: what memory holds must not grow with them.
    _repeat_pictures(few, many, 4)
    _convert(many, "raw")
    raw = "records, raw, x4"
    degraded = raw + ", degraded"
    forms = {
        "plain loader, x4": ("plain", few),
        "records, png, x4": ("random", os.path.join(few, "png")),
        raw: ("random", os.path.join(few, "raw")),
        "records, raw, x2+x3+x4 jointly": ("joint", os.path.join(few, "raw")),
        "records, raw, x4, four times the data": ("random", os.path.join(many, "raw")),
    }
    found = {}
    for name, form in forms.items():
        found[name] = _in_child(arguments, *form)
        # At once, for the machine may be another one some minutes later.
        if name == raw and arguments.degradations:
            found[degraded] = _in_child(arguments, *form, degradations=arguments.degradations)
    plain = found["plain loader, x4"]["value"]
    _report.print_machine(dict(facts, tensorflow=found[raw]["tensorflow"]))
    _report.print_table(
        ("form", "patches/s", "ratio", "CPU us/patch", "cores busy", "peak MB"),
        [
            (
                name,
                result["value"],
                result["value"] / plain,
                result["cpu_us_per_patch"],
                result["cores_busy"],
                result["peak_memory_mb"],
            )
            for name, result in found.items()
        ],
    )
    more = {}
    if arguments.degradations:
        more = _ratios(found[degraded], found[raw])
        print(
            "degraded by %s, against none: %.2f times the patches/s, %.2f times the CPU"
            % (arguments.degradations, more["degraded_ratio"], more["degraded_cpu_ratio"])
        )
    _report.print_result(
        "input_pipeline",
        found[raw]["value"],
        "patches/s",
        plain,
        found[raw]["peak_memory_mb"],
        cpu_us_per_patch=found[raw]["cpu_us_per_patch"],
        forms={name: result["value"] for name, result in found.items()},
        machine=dict(facts, tensorflow=found[raw]["tensorflow"]),
        **more,
    )


def _ratios(degraded: dict, clean: dict) -> dict:
    """What degradations do to the rate, and to the processor time of a patch."""
    return {
        "degraded_ratio": degraded["value"] / clean["value"],
        "degraded_cpu_ratio": degraded["cpu_us_per_patch"] / clean["cpu_us_per_patch"],
    }


def _in_child(arguments, form: str, folder: str, degradations: str = "") -> dict:
    options = ["--form", form, "--folder", folder, "--degradations", degradations]
    for name in ("seconds", "patches_per_tile", "tiles_in_play", "parallel_calls"):
        if getattr(arguments, name) is not None:
            options += ["--" + name, getattr(arguments, name)]
    return _report.in_child("benchmarks.input_pipeline", options)


def _measure_records(arguments) -> None:
    """The input function, its batches taken and dropped."""
    from bsrn_estimator.compat import tf
    from bsrn_estimator.config import Recipe
    from bsrn_estimator.data.input_fn import training_input_fn

    joint = arguments.form == "joint"
    scales = SCALES if joint else (SCALE,)
    recipe = Recipe(
        scale_schedule=arguments.form,
        batch_size=BATCH,
        patch_size=PATCH,
        patches_per_tile=arguments.patches_per_tile,
        degradations=tuple(filter(None, arguments.degradations.split(","))),
    )
    read = training_input_fn(
        arguments.folder,
        scales,
        recipe,
        tiles_in_play=arguments.tiles_in_play,
        parallel_calls=arguments.parallel_calls,
    )
    iterator = tf.data.make_initializable_iterator(read())
    # Grouped: the batch is made, but not copied out to Python.
    batch = tf.group(*tf.nest.flatten(iterator.get_next()))
    with tf.Session() as session:
        session.run(iterator.initializer)
        step = session.make_callable(batch)
        _print_rate(step, BATCH * len(scales), arguments.seconds, tensorflow=tf.__version__)


def _plain_batches(folder: str):
    """The plain loader: decodes two whole pictures for every patch."""
    import cv2

    hr_folder, lr_folder = os.path.join(folder, "HR"), os.path.join(folder, "LR")
    names = sorted(os.listdir(hr_folder))
    random = np.random.RandomState(0)

    def patch():
        name = names[random.randint(len(names))]
        hr = cv2.imread(os.path.join(hr_folder, name))
        lr = cv2.imread(os.path.join(lr_folder, name))
        y, x = (random.randint(side - PATCH + 1) for side in lr.shape[:2])
        turns, flip = random.randint(4), random.randint(2)
        pair = []
        for picture, scale in ((lr, 1), (hr, SCALE)):
            size = scale * PATCH
            cut = picture[scale * y : scale * y + size, scale * x : scale * x + size, ::-1]
            cut = np.rot90(cut, turns)
            pair.append(cut[:, ::-1] if flip else cut)
        return pair

    def batch():
        return [np.stack(part) for part in zip(*(patch() for _ in range(BATCH)))]

    return batch


def _print_rate(step, patches: int, seconds: float, **more) -> None:
    """Runs `step`, which makes `patches` patches, for some time, and prints the rate."""
    # What was prepared during the warm-up is about what is prepared at the end.
    stop, warm = time.perf_counter() + seconds / 3, 0
    while time.perf_counter() < stop or not warm:
        step()
        warm += 1
    count = 0
    with _report.measured() as usage:
        stop = time.perf_counter() + seconds
        while time.perf_counter() < stop:
            step()
            count += patches
    _report.print_result(
        "rate",
        count / usage.seconds,
        "patches/s",
        None,
        _report.peak_memory_mb(),
        cpu_us_per_patch=usage.cpu_seconds / count * 1e6,
        cores_busy=usage.busy_cores,
        **more,
    )


def _make_pictures(source, count: int, folder: str) -> None:
    """`count` large pictures as PNG files in folder/HR, and their LR pictures in folder/LR."""
    from PIL import Image

    from bsrn_estimator.pictures.imresize import shrink

    random = np.random.RandomState(0)
    parts = _photographs(source) if source else [_texture(random) for _ in range(8)]
    for sub_folder in ("HR", "LR"):
        os.makedirs(os.path.join(folder, sub_folder))
    for number in range(count):
        picture = np.zeros(SIZE + (3,), np.uint8)
        for y in range(0, SIZE[0], _PART):
            for x in range(0, SIZE[1], _PART):
                room = picture[y : y + _PART, x : x + _PART]
                part = parts[random.randint(len(parts))]
                room[...] = part[: room.shape[0], : room.shape[1]]
        name = "%04d.png" % number
        Image.fromarray(picture).save(os.path.join(folder, "HR", name))
        Image.fromarray(shrink(picture, SCALE)).save(os.path.join(folder, "LR", name))


def _photographs(source: str) -> list:
    """A square of each photograph in `source` that is large enough."""
    from bsrn_estimator.pictures.decoding import read_rgb
    from bsrn_estimator.pictures.files import walk

    found = [os.path.join(source, path) for path in walk(source).paths]
    parts = [read_rgb(path)[:_PART, :_PART] for path in found[:64]]
    parts = [part for part in parts if part.shape[:2] == (_PART, _PART)]
    if not parts:
        raise SystemExit("error: %s holds no picture of %dx%d and more" % (source, _PART, _PART))
    return parts


def _texture(random) -> np.ndarray:
    """Soft gradients with some noise, for machines without photographs."""
    from bsrn_estimator.pictures.imresize import enlarge

    coarse = random.randint(0, 256, (_PART // 8, _PART // 8, 3)).astype(np.uint8)
    noise = random.randint(-3, 4, (_PART, _PART, 3))
    return np.clip(enlarge(coarse, 8).astype(int) + noise, 0, 255).astype(np.uint8)


def _repeat_pictures(source: str, folder: str, times: int) -> None:
    """The pictures of `source`, each under several names."""
    os.makedirs(os.path.join(folder, "HR"))
    for name in os.listdir(os.path.join(source, "HR")):
        for copy in range(times):
            os.link(
                os.path.join(source, "HR", name),
                os.path.join(folder, "HR", "%d-%s" % (copy, name)),
            )


def _convert(folder: str, encoding: str) -> None:
    """Makes folder/ENCODING out of folder/HR."""
    from data_tools.convert import convert
    from data_tools.options import ConversionOptions

    options = ConversionOptions(
        "folder",
        os.path.join(folder, "HR"),
        os.path.join(folder, encoding),
        scales=SCALES,
        patch_size=PATCH,
        encoding=encoding,
    )
    convert(options.complete())


if __name__ == "__main__":
    main()
