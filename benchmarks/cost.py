"""How the cost of training and of conversion grows with what one can set.

    python -m benchmarks.cost              steps, by features, recursions, outputs, patch and batch
    python -m benchmarks.cost --conversion time of to_tfrecord.py, by pictures

Each row changes one setting of the small network of configs/small.flags, at x4. Multiply-adds are
those of the network's layers, so the last column tells where the time does not follow them.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image

from benchmarks import _report
from benchmarks.train_step import NETWORKS
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.compat import tf
from bsrn_estimator.data import input_fn
from bsrn_estimator.training import model_fn

_SCALE = 4
_BASE = NETWORKS["small"]
_CHANGES = (
    {},
    {"conv_features": 16, "state_features": 16},
    {"conv_features": 64, "state_features": 64},
    {"state_features": 0},
    {"recursions": 4},
    {"recursions": 16},
    {"recursion_frequency": 8},
    {"recursion_frequency": 1},
    {"patch_size": 16},
    {"patch_size": 48},
    {"batch_size": 2},
    {"batch_size": 16},
)
_PICTURES = (8, 16, 32)


def step_seconds(config: Config, steps: int) -> float:
    """CPU seconds of a training step on constant data."""
    with tf.Graph().as_default():
        iterator = tf.data.make_initializable_iterator(
            input_fn.synthetic_input_fn(config.network.scales, config.recipe)()
        )
        features, labels = iterator.get_next()
        spec = model_fn.spec(features, labels, config)
        with tf.Session() as session:
            session.run([tf.global_variables_initializer(), iterator.initializer])
            session.run(spec.train_op)  # plans and allocates
            with _report.measured() as usage:
                for _ in range(steps):
                    session.run(spec.train_op)
    return usage.cpu_seconds / steps


def _multiply_adds(config: Config) -> int:
    """Of one step forward."""
    pixels = config.recipe.batch_size * config.recipe.patch_size**2
    return config.network.multiply_adds(_SCALE, (_SCALE, _SCALE)) * pixels


def training(steps: int) -> None:
    """Prints the table of training steps and the result line."""
    base, rows = None, []
    for change in _CHANGES:
        config = Config.from_dict(dict(_BASE.to_dict(), **change))
        seconds, adds = step_seconds(config, steps), _multiply_adds(config)
        base = base or (seconds, adds)
        name = ", ".join("%s %s" % item for item in change.items()) or "small network"
        cost, work = seconds / base[0], adds / base[1]
        rows.append((name, 1 / seconds, cost, work, cost / work))
    _report.print_table(
        ["setting", "steps / CPU s", "cost", "multiply-adds", "cost / multiply-adds"], rows
    )
    _report.print_machine(_report.machine())
    _report.print_result(
        "training step, %s" % name,
        seconds,
        "CPU seconds per step",
        base[0],
        _report.peak_memory_mb(),
    )


def _convert(folder: str, count: int) -> float:
    """Seconds of the command for `count` pictures of noise."""
    pictures = os.path.join(folder, "pictures%d" % count)
    os.makedirs(pictures)
    for index in range(count):
        noise = np.random.RandomState(index).randint(0, 256, (480, 640, 3)).astype(np.uint8)
        Image.fromarray(noise).save(os.path.join(pictures, "%d.png" % index))
    command = [sys.executable, "data_tools/to_tfrecord.py", "--dataset=folder", "--workers=1"]
    command += ["--input_dir=" + pictures, "--output_dir=%s/records%d" % (folder, count)]
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def conversion() -> None:
    """Prints the table of conversions and the result line."""
    with tempfile.TemporaryDirectory(prefix="benchmark-cost-") as folder:
        seconds = [_convert(folder, count) for count in _PICTURES]
    rows = [(n, s, s / seconds[0]) for n, s in zip(_PICTURES, seconds)]
    _report.print_table(["pictures of 640x480", "seconds", "cost"], rows)
    _report.print_machine(_report.machine())
    _report.print_result(
        "conversion of %d pictures" % _PICTURES[-1],
        seconds[-1],
        "seconds",
        seconds[0],
        _report.peak_memory_mb(),
    )


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=4, help="measured steps of each setting")
    parser.add_argument("--conversion", action="store_true", help="measure conversion instead")
    arguments = parser.parse_args()
    if arguments.conversion:
        conversion()
    else:
        training(arguments.steps)


if __name__ == "__main__":
    main()
