"""Measures what an evaluation costs beside the network itself.

    python -m benchmarks.evaluate                  the full network, x4, pictures of 480x320
    python -m benchmarks.evaluate --network=small  the network of configs/small.flags

The baseline is the bare network: the ensemble of the same LR pictures in one session, the result
left on the device. Against it stands `Estimator.evaluate` as `--mode=evaluate` runs it: records
read, bicubic made, PSNR and SSIM of both. Times are processor time of all threads; the building of
the graph is measured apart, for it does not grow with the pictures.
"""

import argparse
import os
import tempfile
import time

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


def _records(folder: str, pictures: int) -> str:
    """Evaluation records of synthetic pictures of the size of those of BSD100."""
    sources = os.path.join(folder, "pictures")
    os.makedirs(sources)
    for index in range(pictures):
        noise = np.random.RandomState(index)
        coarse = noise.randint(0, 256, (_SIZE[0] // 8, _SIZE[1] // 8, 3)).astype(np.uint8)
        picture = Image.fromarray(coarse).resize((_SIZE[1], _SIZE[0]), Image.BICUBIC)
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
    network = NETWORKS[name].network
    clock = _Clock()
    with tempfile.TemporaryDirectory(prefix="benchmark-evaluate-") as folder:
        read = input_fn.evaluation_input_fn(_records(folder, pictures), [_SCALE])
        destination = Destination(folder=os.path.join(folder, "evaluation"))

        def build(features, labels, mode):
            return model_fn.spec(features, labels, network, destination=destination)

        run = tf.estimator.RunConfig(model_dir=folder)
        tf.estimator.Estimator(build, config=run).evaluate(read, hooks=[clock])
    _print("evaluation", clock)


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
    parser.add_argument("--form", choices=("bare", "evaluation"))
    arguments = parser.parse_args()
    forms = {"bare": run_bare, "evaluation": run_evaluation}
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


if __name__ == "__main__":
    main()
