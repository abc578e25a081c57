"""The flags that say what training does about damaged data, divergence and preemption."""

from absl import flags

from bsrn_estimator import training
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
        training.STOP,
        (training.STOP, training.ROLLBACK),
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
