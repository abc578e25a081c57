"""Measures what a step costs in several processes that train together, and what they exchange.

    python -m benchmarks.workers                two processes of batch 4 against one of batch 8
    python -m benchmarks.workers --workers=3    three

The network is that of configs/small.flags at x4, fed constants, on CPUs. CPU seconds are those of
all processes together. Bytes are those of the loopback device of a network namespace of their own,
headers and acknowledgements included; they need the right to make one (root), else none are given.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any, Dict, List, Optional

from benchmarks import _report, train_step
from bsrn_estimator import model_fn
from bsrn_estimator.compat import tf
from bsrn_estimator.data import input_fn
from bsrn_estimator.interruption import Interruption
from bsrn_estimator.platforms import processes
from bsrn_estimator.platforms.cluster import launch, tf_config
from bsrn_estimator.platforms.cluster.options import ClusterOptions
from bsrn_estimator.platforms.cluster.platform import CpuWorkers
from bsrn_estimator.platforms.cpu import CpuPlatform
from bsrn_estimator.platforms.options import RunOptions

_TOTAL_BATCH = 8
_WARM_STEPS = 3
_BYTES = 4  # of a float32


class _Meter(tf.train.SessionRunHook):
    """Notes CPU time, time and loopback bytes after the first steps and at the end."""

    def begin(self) -> None:
        self._steps, self._first = 0, None
        shapes = [weight.shape.num_elements() for weight in tf.trainable_variables()]
        self.gradients = _BYTES * sum(shapes)

    def after_run(self, _context, _values) -> None:
        self._steps += 1
        if self._steps == _WARM_STEPS:
            self._first = _now()

    def end(self, _session) -> None:
        assert self._first is not None
        steps = self._steps - _WARM_STEPS
        self.per_step = {name: (_now()[name] - self._first[name]) / steps for name in self._first}


def _now() -> Dict[str, float]:
    return {"cpu": time.process_time(), "wall": time.perf_counter(), "bytes": _loopback_bytes()}


def _loopback_bytes() -> float:
    """Bytes that the loopback device of this network namespace has sent."""
    with open("/proc/net/dev") as file:
        for line in file:
            name, _, numbers = line.partition(":")
            if name.strip() == "lo":
                return float(numbers.split()[8])
    return 0.0


def run_process(batch: int, steps: int, model_dir: str) -> None:
    """Trains alone, or with the others of TF_CONFIG; prints what a step took."""
    config = train_step.NETWORKS["small"]
    config = config._replace(recipe=config.recipe.replace(batch_size=batch))
    cluster = tf_config.take()
    platform: Any = CpuWorkers(cluster, ClusterOptions()) if cluster else CpuPlatform()
    run = RunOptions(model_dir=model_dir)
    meter = _Meter()
    with Interruption() as interruption, platform.together(run, dict, interruption, lambda: 1):
        estimator = platform.training_estimator(model_fn.build(config, platform), run)
        read = input_fn.synthetic_input_fn(config.network.scales, config.recipe)
        estimator.train(read, hooks=platform.hooks() + [meter], max_steps=steps + _WARM_STEPS)
    result = dict(meter.per_step, memory=_report.peak_memory_mb(), gradients=meter.gradients)
    print(json.dumps(result), flush=True)


def run_form(count: int, steps: int) -> None:
    """Measures `count` processes, and prints the result line."""
    folder = tempfile.mkdtemp()
    try:
        command = [sys.executable, "-m", "benchmarks.workers", "--process"]
        command += ["--workers=%d" % count, "--steps=%d" % steps, "--model_dir=" + folder]
        environments = {0: dict(os.environ)}
        if count > 1:
            environments = launch.environments(launch.free_addresses(count))
        started = processes.Processes(command, environments, folder, "process")
        started.wait(list(environments), 3600)
        failed = started.failed()
        if failed:
            raise SystemExit("error: process %d: %s" % (failed[0], started.last_lines(failed[0])))
        found = [json.loads(started.last_lines(rank, 1)) for rank in environments]
    finally:
        shutil.rmtree(folder)
    _report.print_result(
        "%d processes" % count,
        sum(each["cpu"] for each in found),
        "CPU seconds per step",
        None,
        max(each["memory"] for each in found),
        wall_seconds=found[0]["wall"],
        bytes=found[0]["bytes"],
        gradients=found[0]["gradients"],
    )


def _in_own_network(arguments: List[str]) -> Optional[Dict[str, Any]]:
    """The result line of this module in a network namespace; None where that is not permitted."""
    script = 'ip link set lo up && exec "$@"'
    command = [
        "unshare",
        "-n",
        "sh",
        "-c",
        script,
        "sh",
        sys.executable,
        "-m",
        "benchmarks.workers",
    ]
    if subprocess.run(["unshare", "-n", "true"], stderr=subprocess.DEVNULL).returncode:
        return None
    done = subprocess.run(command + arguments, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.strip().splitlines()[-1]) if not done.returncode else None


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workers", type=int, default=2, help="processes that train together")
    parser.add_argument("--steps", type=int, default=10, help="measured steps of each form")
    parser.add_argument("--form", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--process", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--model_dir", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.process:
        run_process(_TOTAL_BATCH // given.workers, given.steps, given.model_dir)
        return
    if given.form:
        run_form(given.workers, given.steps)
        return
    options = ["--form", "--steps=%d" % given.steps]
    one = _report.in_child("benchmarks.workers", options + ["--workers=1"])
    options += ["--workers=%d" % given.workers]
    several = _in_own_network(options)
    has_bytes = several is not None
    several = several or _report.in_child("benchmarks.workers", options)
    exchanged = several["bytes"] / given.workers if has_bytes else None
    gradients = several["gradients"]
    _report.print_machine(_report.machine())
    rows = [
        ("one process", one["value"], one["wall_seconds"], None, one["peak_memory_mb"]),
        (
            "%d processes" % given.workers,
            several["value"],
            several["wall_seconds"],
            exchanged,
            several["peak_memory_mb"],
        ),
    ]
    columns = ["form", "CPU s/step", "s/step", "bytes sent/step/process", "peak MB of one"]
    _report.print_table(columns, rows)
    _report.print_result(
        "step of %d processes" % given.workers,
        several["value"],
        "CPU seconds per step",
        one["value"],
        several["peak_memory_mb"],
        gradient_bytes=gradients,
        sent_bytes=exchanged,
        sent_of_gradients=exchanged / gradients if exchanged else None,
    )


if __name__ == "__main__":
    main()
