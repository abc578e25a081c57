"""The flags that say what training does about damaged data, divergence and preemption."""

import dataclasses
from typing import Optional

from absl import flags

from bsrn_estimator.errors import UserError


def define_flags() -> None:
    """Defines them; once a process."""
    flags.DEFINE_boolean(
        "skip_corrupt", False, "train: leaves corrupt records out and counts them; else they stop"
    )
    flags.DEFINE_float(
        "max_corrupt_share",
        0.01,
        "with --skip_corrupt: stops where more than this share of all records is corrupt",
        lower_bound=0.0,
        upper_bound=1.0,
    )
    flags.DEFINE_enum(
        "on_nan",
        STOP,
        (STOP, ROLLBACK),
        "a loss that is not a number or explodes: stop; or rollback, back to the last good "
        "checkpoint, with other data and a lower rate",
    )
    flags.DEFINE_float(
        "explosion_factor",
        100.0,
        "a loss above this many times the median of the last 101 is an explosion; 0 for never",
        lower_bound=0.0,
    )
    flags.DEFINE_integer(
        "max_rollbacks", 3, "how many rollbacks a model folder may see", lower_bound=0
    )
    flags.DEFINE_float(
        "rollback_rate", 0.5, "what a rollback multiplies the learning rate with", upper_bound=1.0
    )
    flags.DEFINE_boolean(
        "preemption_exit_zero",
        False,
        "exit status 0, not 143, once SIGTERM has ended training with a checkpoint",
    )


def check(values) -> None:
    """Raises UserError where a value contradicts another.

    Args:
      values: absl's FLAGS.
    """
    if values["max_corrupt_share"].present and not values.skip_corrupt:
        raise UserError("--max_corrupt_share is for --skip_corrupt; give that too")
    if values.rollback_rate <= 0:
        raise UserError("--rollback_rate must be above 0, not %g" % values.rollback_rate)
    if 0 < values.explosion_factor <= 1:
        raise UserError(
            "--explosion_factor must be above 1, or 0 for no such check, not %g"
            % values.explosion_factor
        )


STOP, ROLLBACK = "stop", "rollback"


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """What a training run reads, how long it goes on, and how often it reports.

    Attributes:
      data_dir: folder of training records.
      train_steps: the step at which training ends.
      evaluation_steps: steps between evaluations; a multiple of the steps between checkpoints.
      summary_steps: steps between points of the curves.
      log_steps: steps between lines where the output is not a terminal.
      max_seconds: ends training after so long, evaluations not counted; None for no limit.
      first_step: the step that a new run counts from.
      allow_change: go on with other data than the model folder was trained with.
      skip_corrupt: leave corrupt records out instead of stopping.
      max_corrupt_share: the share of corrupt records, 0 to 1, above which training stops anyway.
      explosion_factor: a loss above this many times its running median stops training; 0 for none.
      on_nan: what to do where the numbers diverge: `STOP` or `ROLLBACK`.
      max_rollbacks: how many rollbacks a model folder may see.
      rollback_rate: what a rollback multiplies the learning rate with.
      preemption_exit_zero: exit status 0 after SIGTERM.
    """

    data_dir: str
    train_steps: int
    evaluation_steps: int = 10000
    summary_steps: int = 100
    log_steps: int = 100
    max_seconds: Optional[float] = None
    first_step: int = 0
    allow_change: bool = False
    skip_corrupt: bool = False
    max_corrupt_share: float = 0.01
    explosion_factor: float = 0.0
    on_nan: str = STOP
    max_rollbacks: int = 3
    rollback_rate: float = 0.5
    preemption_exit_zero: bool = False
