"""What every benchmark shares: the machine, time and memory used, the table, the JSON line."""

import contextlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
from typing import Any, Dict, Iterator, Optional, Sequence

from bsrn_estimator import cores


class Usage:
    """What a stretch of work took; filled in when `measured` ends.

    Attributes:
      seconds: wall-clock time.
      cpu_seconds: processor time of the whole process, user and system, all threads.
    """

    seconds = 0.0
    cpu_seconds = 0.0

    @property
    def busy_cores(self) -> float:
        """Cores that were kept busy on average."""
        return self.cpu_seconds / max(self.seconds, 1e-9)


@contextlib.contextmanager
def measured() -> Iterator[Usage]:
    """Measures the block: `with measured() as usage: ...`, then read `usage`."""
    usage = Usage()
    wall, cpu = time.perf_counter(), time.process_time()
    yield usage
    usage.seconds = time.perf_counter() - wall
    usage.cpu_seconds = time.process_time() - cpu


def peak_memory_mb() -> float:
    """The most memory that this process has held at a time, in MB (10^6 bytes).

    It never falls again, so what is to be compared runs in processes of its own: see `in_child`.
    """
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


def in_child(
    module: str, arguments: Sequence[str], environment: Optional[Dict[str, str]] = None
) -> Dict[str, Any]:
    """Runs `python -m module arguments` and returns the JSON object of its last line.

    Args:
      module: a module that prints its result with `print_result`, e.g. "benchmarks.upscale".
      arguments: its command line.
      environment: variables to set beside those of this process.

    Raises:
      SystemExit: it failed; what it wrote to stderr is shown.
    """
    done = subprocess.run(
        [sys.executable, "-m", module] + [str(argument) for argument in arguments],
        capture_output=True,
        text=True,
        env=dict(os.environ, **(environment or {})),
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        sys.stderr.write(done.stderr[-4000:])
        raise SystemExit("error: %s failed with status %d" % (module, done.returncode))
    return json.loads(lines[-1])


def machine() -> Dict[str, Any]:
    """The machine and the software that a number belongs to."""
    facts = {
        "processor": _first_value("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": cores.usable(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
    }
    if "tensorflow" in sys.modules:
        facts["tensorflow"] = sys.modules["tensorflow"].__version__
    return facts


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Prints `rows` under `columns`: text to the left, numbers to the right."""
    cells = [[_text(value) for value in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(columns)] + cells) for i in range(len(columns))]
    numeric = [
        all(isinstance(row[i], (int, float, type(None))) for row in rows)
        for i in range(len(columns))
    ]
    for line in [list(columns), ["-" * width for width in widths]] + cells:
        print(
            "  ".join(
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(line, widths, numeric)
            ).rstrip()
        )


def print_machine(facts: Dict[str, Any]) -> None:
    """Prints what `machine` found, in one line."""
    print("machine: " + ", ".join("%s %s" % item for item in facts.items()), flush=True)


def print_result(
    name: str,
    value: float,
    unit: str,
    baseline: Optional[float],
    peak_memory_mb: float,
    ratio: Optional[float] = None,
    **more: Any,
) -> None:
    """Prints the result of a benchmark as one JSON object; the last line of its output.

    Args:
      name: what was measured.
      value: the number.
      unit: of `value` and of `baseline`.
      baseline: what the plain form reached in the same run; None where there is none.
      peak_memory_mb: the most memory that the measured form held.
      ratio: value / baseline unless given.
      more: further fields; "machine" is added where it is not among them.
    """
    if ratio is None and baseline:
        ratio = value / baseline
    result = {
        "name": name,
        "value": value,
        "unit": unit,
        "baseline": baseline,
        "ratio": ratio,
        "peak_memory_mb": peak_memory_mb,
    }
    result.update(more)
    result.setdefault("machine", machine())
    rounded = {k: float("%.6g" % v) if isinstance(v, float) else v for k, v in result.items()}
    print(json.dumps(rounded), flush=True)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return "%.4g" % value if abs(value) < 1000 else "%.0f" % value
    return str(value)


def _first_value(path: str, name: str) -> Optional[str]:
    """The first `name : value` of a file in /proc."""
    try:
        with open(path) as file:
            for line in file:
                if line.split(":")[0].strip() == name:
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return None
