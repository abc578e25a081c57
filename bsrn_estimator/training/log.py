"""The log of a run, for programs: MODEL_DIR/log.jsonl, an object a line."""

import math
import os
import resource
import time
from typing import Any, Dict, Mapping

from bsrn_estimator import json_lines

FILE_NAME = "log.jsonl"
TRAINING, EVALUATION = "training", "evaluation"


class RunLog:
    """The log in a model folder.

    Lines reach the file at once, so it holds all that was written before a kill. Whoever goes on
    from a checkpoint takes back what was written past it, as the curves do.

    Args:
      model_dir: the model folder, which is there.
    """

    def __init__(self, model_dir: str) -> None:
        self._path = os.path.join(model_dir, FILE_NAME)

    def go_back_to(self, step: int) -> None:
        """Removes the lines of later steps, and what a kill left of a line."""

        def is_before(line: Dict[str, Any]) -> bool:
            number = line.get("step")
            return isinstance(number, int) and number <= step

        json_lines.keep(self._path, is_before)

    def point(self, step: int, scalars: Mapping[str, float]) -> None:
        """Adds a point of the curves.

        Args:
          step: the last step that it stands for.
          scalars: values by the names of the curves; one that is not finite becomes null.
        """
        json_lines.append(self._path, _line(TRAINING, step, scalars, memory=memory()))

    def evaluation(self, step: int, name: str, figures: Mapping[str, Any], **facts: Any) -> None:
        """Adds an evaluation, unless it is there; one of the same step and set goes.

        Args:
          step: of the checkpoint.
          name: the set.
          figures: means by the names of the curves.
          facts: what else there is to say.
        """
        line = _line(EVALUATION, step, figures, set=name, **facts)
        same = ("kind", "step", "set")
        former = [
            other
            for other in json_lines.read(self._path)
            if all(other.get(key) == line[key] for key in same)
        ]
        if [_timeless(other) for other in former] == [_timeless(line)]:
            return
        if former:
            json_lines.keep(
                self._path, lambda other: any(other.get(key) != line[key] for key in same)
            )
        json_lines.append(self._path, line)


def memory() -> int:
    """Bytes of memory that this process holds now."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        # Where there is no such file: the most that it held.
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _line(kind: str, step: int, values: Mapping[str, Any], **facts: Any) -> Dict[str, Any]:
    line = {"kind": kind, "step": step, "time": round(time.time(), 3)}
    line.update(facts)
    line.update((name, _finite(value)) for name, value in values.items())
    return line


def _timeless(line: Dict[str, Any]) -> Dict[str, Any]:
    return {name: value for name, value in line.items() if name != "time"}


def _finite(value: Any) -> Any:
    return float(value) if value is not None and math.isfinite(value) else None
