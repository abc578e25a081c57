"""Steps that a device skips for an overflow of float16: counted and told; too many end training."""

from typing import Any, Dict

import numpy as np

from bsrn_estimator.errors import RunFailed
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.training.step_hook import StepHook

# A line in the log for so many in a row.
_TOLD_EVERY = 10


class SkippedSteps(StepHook):
    """Counts the steps that left the weights, and `global_step`, as they were.

    Args:
      platform: the devices that skip them; its first process tells.

    Raises:
      RunFailed: after so many.
    """

    def __init__(self, platform: Platform) -> None:
        super().__init__(("step", "loss_scale"))
        self._platform = platform
        self._total = self._in_a_row = self._told = 0

    def after_run(self, _context, values) -> None:
        step = int(np.mean(values.results["step"]))
        made, self._step = step - self._step, step
        self._total += self._platform.steps_per_run - made
        if made:
            self._in_a_row = self._told = 0
            return
        self._in_a_row += self._platform.steps_per_run
        scale = float(np.mean(values.results["loss_scale"]))
        if self._in_a_row >= self._platform.max_skipped_steps:
            advice = self._platform.against_overflow(scale)
            raise RunFailed(_sentence(step, self._in_a_row, scale, advice))
        if self._platform.rank == 0 and self._in_a_row >= self._told + _TOLD_EVERY:
            self._told = self._in_a_row
            print(
                "step %d: the %d steps after it overflowed and were skipped; the loss scale is %g"
                % (step, self._in_a_row, scale),
                flush=True,
            )

    def counters(self) -> Dict[str, Any]:
        """How many were skipped since this process began, as a curve."""
        return {"skipped_steps": self._total}


def _sentence(step: int, count: int, scale: float, advice: str) -> str:
    return (
        "after step %d, %d steps in a row overflowed float16 and were skipped, the last at a loss "
        "scale of %g, so training makes none any more; %s" % (step, count, scale, advice)
    )
