"""Measures what a data set of very many records costs before the first step, and in memory.

    python -m benchmarks.many_records --records=1000000

A set of small records is fabricated, and a tiny network trains on it for one step, by the command.
The baseline is the same with a thousand records.
"""

import argparse
import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Tuple

from benchmarks import _report
from bsrn_estimator.data.example import encode_example
from bsrn_estimator.data.manifest import FORMAT_VERSION, Manifest
from bsrn_estimator.data.records import image_features
from bsrn_estimator.data.tfrecord import ShardWriter, frame, shard_name

_BASELINE = 1000
_SCALES = (2, 4)
_PATCH = 4
# Height and width of the pictures, which take turns by shard; each is one tile.
_SIZES = ((16, 16), (16, 24), (20, 28))
_RECORDS_A_SHARD = 20000
# Written at a time.
_TOGETHER = 1000


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--records", type=int, default=10**6, help="records of the set")
    arguments = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="benchmark-records-")
    try:
        _compare(arguments.records, folder)
    finally:
        shutil.rmtree(folder)


def fabricate(records: int, data_dir: str) -> None:
    """Writes a data set of training records that are alike within a shard.

    Args:
      records: how many.
      data_dir: a folder that does not exist.
    """
    os.makedirs(data_dir)
    counts = [_RECORDS_A_SHARD] * (records // _RECORDS_A_SHARD)
    counts += [records % _RECORDS_A_SHARD] if records % _RECORDS_A_SHARD else []
    shards = []
    for number, count in enumerate(counts):
        name, size = "%05d" % number, _SIZES[number % len(_SIZES)]
        lr = {scale: _black(size[0] // scale, size[1] // scale) for scale in _SCALES}
        features = image_features(name, name, "raw", (0, 0), _black(*size), lr)
        framed = frame(encode_example(features))
        with ShardWriter(os.path.join(data_dir, shard_name("train", number, len(counts)))) as file:
            for begin in range(0, count, _TOGETHER):
                together = min(_TOGETHER, count - begin)
                file.write_framed(framed * together, together)
        assert file.shard is not None
        sizes = ("%dx%d" % size[::-1],) * count
        shards.append(dataclasses.replace(file.shard, sizes=sizes))
    Manifest(
        FORMAT_VERSION,
        "folder",
        "train",
        "training",
        _SCALES,
        "raw",
        48,
        12,
        records,
        records,
        0,
        tuple(shards),
        _PATCH,
    ).save(data_dir)


def _black(height: int, width: int) -> Tuple[bytes, int, int]:
    return bytes(3 * height * width), height, width


def _compare(records: int, folder: str) -> None:
    rows, results = [], []
    for count in (_BASELINE, records):
        data_dir = os.path.join(folder, str(count))
        fabricate(count, data_dir)
        results.append(_first_step(data_dir, os.path.join(folder, "run-%d" % count)))
        rows.append((count,) + results[-1])
    _report.print_table(
        ("records", "seconds to step 1", "processor seconds", "peak memory MB"), rows
    )
    facts = _report.machine()
    _report.print_machine(facts)
    (_, small_cpu, small_mb), (seconds, cpu, peak) = results
    print(
        "%d records instead of %d: %.1f processor seconds and %.0f MB more"
        % (records, _BASELINE, cpu - small_cpu, peak - small_mb)
    )
    _report.print_result(
        "many_records",
        cpu,
        "processor seconds",
        small_cpu,
        peak,
        records=records,
        seconds_to_step_1=seconds,
        further_processor_seconds=cpu - small_cpu,
        further_memory_mb=peak - small_mb,
        machine=facts,
    )


def _first_step(data_dir: str, model_dir: str) -> Tuple[float, float, float]:
    """A training of one step: seconds until it is made, those of processors in all, and peak MB."""
    command = [sys.executable, "-u", "-m", "bsrn_estimator.main", "--mode=train", "--device=cpu"]
    command += ["--data_dir=" + data_dir, "--model_dir=" + model_dir, "--train_steps=1"]
    command += ["--scales=2,4", "--patch_size=%d" % _PATCH, "--batch_size=2", "--log_steps=1"]
    command += ["--conv_features=4", "--state_features=2", "--recursions=1"]
    began = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True
    )
    seconds, lines = None, []
    for line in process.stdout or ():
        lines.append(line)
        if seconds is None and line.startswith("step 1 of 1"):
            seconds = time.perf_counter() - began
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status or seconds is None:
        raise SystemExit("error: training failed:\n" + "".join(lines[-20:]))
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    main()
