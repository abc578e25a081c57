"""Measures what an evaluation costs beside the network itself.

    python -m benchmarks.evaluate                  the full network, x4, pictures of 480x320
    python -m benchmarks.evaluate --network=small  the network of configs/small.flags
    python -m benchmarks.evaluate --memory         peak memory at 4000x3000 against 1000x750

The baseline is the bare network: the ensemble of the same LR pictures in one session, the result
left on the device. Against it stands `Estimator.evaluate` as `--mode=evaluate` runs it: records
read, bicubic made, PSNR and SSIM of both. Times are processor time of all threads; the building of
the graph is measured apart, for it does not grow with the pictures.

`--memory` evaluates one picture of each size, and compares the peak memory of the two processes.
"""

import argparse
import os
import tempfile
import time
from typing import Tuple

import numpy as np
from PIL import Image

from benchmarks import _report
from benchmarks.train_step import NETWORKS
from bsrn_estimator.compat import tf
from bsrn_estimator.data import input_fn
from bsrn_estimator.evaluation import model_fn
from bsrn_estimator.evaluation.options import Destination
from bsrn_estimator.networks import bsrn_layers
from data_tools import to_tfrecord

_SCALE = 4
_SIZE = (320, 480)
# Heights and widths for --memory.
_SMALL, _LARGE = (750, 1000), (3000, 4000)


def _records(folder: str, pictures: int, size: Tuple[int, int]) -> str:
    """Evaluation records of synthetic pictures of a height and width."""
    sources = os.path.join(folder, "pictures")
    os.makedirs(sources)
    for index in range(pictures):
        noise = np.random.RandomState(index)
        coarse = noise.randint(0, 256, (size[0] // 8, size[1] // 8, 3)).astype(np.uint8)
        picture = Image.fromarray(coarse).resize(size[::-1], Image.BICUBIC)
        picture.save(os.path.join(sources, "%d.png" % index))
    out = os.path.join(folder, "records")
    arguments = ["--dataset=folder", "--kind=evaluation", "--scales=%d" % _SCALE]
    status = to_tfrecord.main(
        ["to_tfrecord"] + arguments + ["--input_dir=" + sources, "--output_dir=" + out]
    )
    if status:
        raise SystemExit(status)
    return out


class _Clock(tf.train.SessionRunHook):
    """Processor time between the end of the first picture and the end of the last."""

    def __init__(self) -> None:
        self.marks = []

    def after_run(self, _context, _values) -> None:
        self.marks.append(time.process_time())

    def per_picture(self) -> float:
        """CPU seconds."""
        return (self.marks[-1] - self.marks[0]) / (len(self.marks) - 1)


def run_bare(name: str, pictures: int) -> None:
    """The network alone."""
    network = NETWORKS[name].network
    shape = [1, _SIZE[0] // _SCALE, _SIZE[1] // _SCALE, 3]
    lr = np.random.RandomState(0).randint(0, 256, shape).astype(np.uint8)
    clock = _Clock()
    with tf.Graph().as_default():
        placeholder = tf.placeholder(tf.uint8, [1, None, None, 3])
        result = bsrn_layers.ensemble(placeholder, _SCALE, network).op
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            for _ in range(pictures):
                session.run(result, {placeholder: lr})
                clock.after_run(None, None)
    _print("bare network", clock)


def run_evaluation(name: str, pictures: int) -> None:
    """The evaluation, from an untrained checkpoint."""
    _print("evaluation", _evaluated(name, pictures, _SIZE))


def run_memory(name: str, size: Tuple[int, int]) -> None:
    """The evaluation of one picture of a height and width."""
    _evaluated(name, 1, size)
    peak = _report.peak_memory_mb()
    _report.print_result("evaluation of %dx%d" % size[::-1], peak, "MB", None, peak)


def _evaluated(name: str, pictures: int, size: Tuple[int, int]) -> _Clock:
    network = NETWORKS[name].network
    clock = _Clock()
    with tempfile.TemporaryDirectory(prefix="benchmark-evaluate-") as folder:
        read = input_fn.evaluation_input_fn(_records(folder, pictures, size), [_SCALE])
        destination = Destination(folder=os.path.join(folder, "evaluation"))

        def build(features, labels, mode):
            return model_fn.spec(features, labels, network, destination=destination)

        run = tf.estimator.RunConfig(model_dir=folder)
        tf.estimator.Estimator(build, config=run).evaluate(read, hooks=[clock])
    return clock


def _print(name: str, clock: _Clock) -> None:
    _report.print_result(
        name, clock.per_picture(), "CPU seconds per picture", None, _report.peak_memory_mb()
    )


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", choices=sorted(NETWORKS), default="full")
    parser.add_argument("--pictures", type=int, default=6)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--form", choices=("bare", "evaluation", "small", "large"))
    arguments = parser.parse_args()
    if arguments.memory:
        _compare_memory(arguments.network)
        return
    forms = {"bare": run_bare, "evaluation": run_evaluation}
    sizes = {"small": _SMALL, "large": _LARGE}
    if arguments.form in sizes:
        run_memory(arguments.network, sizes[arguments.form])
        return
    if arguments.form:
        forms[arguments.form](arguments.network, arguments.pictures)
        return
    options = ["--network=" + arguments.network, "--pictures=%d" % arguments.pictures]
    found = {
        form: _report.in_child("benchmarks.evaluate", options + ["--form=" + form])
        for form in forms
    }
    _report.print_machine(_report.machine())
    _report.print_table(
        ["form", "CPU s/picture", "peak MB"],
        [(r["name"], r["value"], r["peak_memory_mb"]) for r in found.values()],
    )
    bare, whole = found["bare"], found["evaluation"]
    _report.print_result(
        "evaluation, %s network, x4" % arguments.network,
        1 / whole["value"],
        "pictures per CPU second",
        1 / bare["value"],
        whole["peak_memory_mb"],
    )


def _compare_memory(network: str) -> None:
    small, large = (
        _report.in_child("benchmarks.evaluate", ["--network=" + network, "--form=" + form])
        for form in ("small", "large")
    )
    _report.print_machine(_report.machine())
    _report.print_table(["what", "peak MB"], [(r["name"], r["value"]) for r in (small, large)])
    name = "peak memory of an evaluation, %s network, x4" % network
    _report.print_result(name, large["value"], "MB", small["value"], large["peak_memory_mb"])


if __name__ == "__main__":
    main()
