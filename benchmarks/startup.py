"""Measures the time from the command to the first training step of the full network.

    python -m benchmarks.startup

The command is the one that users give, on records made for the purpose. Its parts are told apart:
the import of TensorFlow, which is the baseline, and all the rest up to the first step: flags,
records, graph, session, first weights, first batch. The first step itself is not counted.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time

import numpy as np
from PIL import Image

from benchmarks import _report

_SIZE = (480, 480)


def _records(folder: str) -> str:
    """Training records of a few pictures of noise, made by the command."""
    pictures = os.path.join(folder, "pictures")
    os.makedirs(pictures)
    for index in range(4):
        noise = np.random.RandomState(index).randint(0, 256, _SIZE + (3,)).astype(np.uint8)
        Image.fromarray(noise).save(os.path.join(pictures, "%d.png" % index))
    out = os.path.join(folder, "records")
    command = [sys.executable, "data_tools/to_tfrecord.py", "--dataset=folder"]
    subprocess.run(
        command + ["--input_dir=" + pictures, "--output_dir=" + out],
        check=True,
        capture_output=True,
    )
    return out


def _first_step(records: str, model_dir: str, repeat: int) -> float:
    """Seconds from the start of the command to the end of its first step, less that step."""
    command = [sys.executable, "-m", "bsrn_estimator.main", "--mode=train", "--data_dir=" + records]
    command += ["--model_dir=%s-%d" % (model_dir, repeat), "--train_steps=2", "--log_steps=1"]
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        reached = []
        for line in process.stdout:
            if re.match(r"step \d+ of", line):
                reached.append(time.perf_counter())
    if process.returncode or len(reached) != 2:
        raise SystemExit("error: the training command failed; run it by hand: " + " ".join(command))
    first, second = reached
    # The second step takes as long as the first, which also plans and allocates.
    return first - started - (second - first)


def _import_seconds() -> float:
    started = time.perf_counter()
    code = "from bsrn_estimator.compat import tf"
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3, help="how often; the median counts")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-startup-") as folder:
        records = _records(folder)
        model_dir = os.path.join(folder, "model")
        imports = sorted(_import_seconds() for _ in range(arguments.repeats))
        starts = sorted(_first_step(records, model_dir, r) for r in range(arguments.repeats))
    middle = arguments.repeats // 2
    _report.print_machine(_report.machine())
    _report.print_table(
        ["from the command to", "median s", "shortest s", "longest s"],
        [
            ("the import of TensorFlow", imports[middle], imports[0], imports[-1]),
            ("the first step", starts[middle], starts[0], starts[-1]),
        ],
    )
    _report.print_result(
        "start of training, full network",
        starts[middle],
        "seconds",
        imports[middle],
        _report.peak_memory_mb(),
    )


if __name__ == "__main__":
    main()
