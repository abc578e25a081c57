"""What a training run reads, how long it goes on, how often it reports, and what may stop it."""

import dataclasses
from typing import Iterator, Optional, Tuple

from bsrn_estimator.settings import TRAINING, Settings, setting

STOP, ROLLBACK, WARN = "stop", "rollback", "warn"


@dataclasses.dataclass(frozen=True)
class TrainingOptions(Settings):
    """A training run; none of it changes what a step computes.

    Raises:
      UserError: a value is out of range.
    """

    data_dir: str = setting(
        "tfrecords/div2k_train", "training records that data_tools/to_tfrecord.py wrote"
    )
    train_steps: int = setting(
        1000000,
        "the step at which training ends; with --follow, the last one that is evaluated",
        least=1,
        modes=TRAINING + ("evaluate",),
    )
    max_train_minutes: Optional[float] = setting(
        None,
        "ends training, with a checkpoint, after so many minutes, evaluations not counted",
        kind=float,
        least=0,
    )
    initial_step: Optional[int] = setting(
        None,
        "with --checkpoint in a new run: takes Adam's state over too and goes on at this step",
        kind=int,
        least=0,
    )
    partial_checkpoint: bool = setting(
        False,
        "with --checkpoint in a new run: takes the weights that fit, says which start afresh",
    )
    vgg19_weights: Optional[str] = setting(
        None,
        "srdrm_gan: the file of Keras with the weights of VGG19, which it compares features by",
        kind=str,
    )
    evaluation_steps: int = setting(
        10000,
        "steps between evaluations; a multiple of --save_checkpoints_steps",
        least=1,
        modes=("train_and_evaluate",),
    )
    summary_steps: int = setting(100, "steps between points of a curve", least=1)
    log_steps: int = setting(100, "steps between lines where the output is not a terminal", least=1)
    allow_change: bool = setting(
        False, "lets a run go on with another batch size, learning rate or data set than it had"
    )
    skip_corrupt: bool = setting(
        False, "leaves corrupt records out and counts them; else they stop"
    )
    max_corrupt_share: float = setting(
        0.01,
        "with --skip_corrupt: stops where more than this share of all records is corrupt",
        least=0,
        most=1,
    )
    on_nan: str = setting(
        STOP,
        "a loss that is not a number or explodes: stop; or rollback, back to the last good "
        "checkpoint, with other data and a lower rate",
        choices=(STOP, ROLLBACK),
    )
    explosion_factor: float = setting(
        100.0,
        "a loss above this many times the median of the last 101 is an explosion; 0 for never",
        least=0,
    )
    on_dead: str = setting(
        WARN,
        "a layer of which more than a quarter of the units are dead: warn, once a layer; or stop, "
        "with a checkpoint",
        choices=(WARN, STOP),
    )
    max_rollbacks: int = setting(3, "how many rollbacks a model folder may see", least=0)
    rollback_rate: float = setting(0.5, "what a rollback multiplies the learning rate with", most=1)
    preemption_exit_zero: bool = setting(
        False, "exit status 0, not 143, once SIGTERM has ended training with a checkpoint"
    )

    def _rules(self) -> Iterator[Tuple[bool, str]]:
        yield (
            not (self.partial_checkpoint and self.initial_step is not None),
            "--partial_checkpoint takes weights alone, without Adam's state; leave --initial_step "
            "out",
        )
        yield (
            self.rollback_rate > 0,
            "--rollback_rate must be above 0, not %g" % self.rollback_rate,
        )
        yield (
            not 0 < self.explosion_factor <= 1,
            "--explosion_factor must be above 1, or 0 for no such check, not %g"
            % self.explosion_factor,
        )

    @property
    def max_seconds(self) -> Optional[float]:
        """The longest that training may run, evaluations not counted; None for no limit."""
        return self.max_train_minutes and 60 * self.max_train_minutes
