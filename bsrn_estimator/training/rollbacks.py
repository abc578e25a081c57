"""Going back to the last good checkpoint after a divergence, with other data and a lower rate."""

import dataclasses
import glob
import os
import tempfile
from typing import Optional, Tuple

from bsrn_estimator import files
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.errors import UserError
from bsrn_estimator.training.model_folder import DIVERGED

FILE_NAME = "rollbacks.json"


@dataclasses.dataclass(frozen=True)
class Rollback:
    """One return to an earlier checkpoint.

    Attributes:
      diverged_at: the step that diverged.
      back_to: the step of the checkpoint that training went back to.
      reason: what was seen.
      skipped_batches: batches of this process passed over since, so that those between the two
        steps, the one that diverged included, do not come again.
      rate_factor: what the learning rate is multiplied with since.
    """

    diverged_at: int
    back_to: int
    reason: str
    skipped_batches: int
    rate_factor: float


@dataclasses.dataclass(frozen=True)
class Rollbacks:
    """All rollbacks of a model folder, oldest first, as its rollbacks.json keeps them.

    They are written before training goes on, so a run that is killed afterwards resumes with the
    same data and the same rate.
    """

    of_run: Tuple[Rollback, ...] = ()

    @property
    def skipped_batches(self) -> int:
        """Batches passed over in all."""
        return sum(rollback.skipped_batches for rollback in self.of_run)

    @property
    def rate_factor(self) -> float:
        """What the learning rate is multiplied with."""
        factor = 1.0
        for rollback in self.of_run:
            factor *= rollback.rate_factor
        return factor

    def and_one(self, rollback: Rollback) -> "Rollbacks":
        """These, and one more."""
        return Rollbacks(self.of_run + (rollback,))

    def save(self, model_dir: str) -> None:
        """Writes MODEL_DIR/rollbacks.json, whole or not at all."""
        values = [dataclasses.asdict(rollback) for rollback in self.of_run]
        files.write_json(os.path.join(model_dir, FILE_NAME), values)

    @classmethod
    def load(cls, model_dir: str) -> "Rollbacks":
        """The rollbacks of `model_dir`; none where it has no such file.

        Raises:
          UserError: the file is damaged.
        """
        path = os.path.join(model_dir, FILE_NAME)
        if not os.path.exists(path):
            return cls()
        values = files.read_json(path)
        try:
            found = tuple(Rollback(**value) for value in values)
            for one in found:
                if type(one.skipped_batches) is not int or not 0 < one.rate_factor <= 1:
                    raise ValueError("a value is out of range")
            return cls(found)
        except (ValueError, TypeError) as error:
            raise UserError(
                "%s is damaged (%s); restore it, or name another --model_dir" % (path, error)
            ) from None


def set_aside(model_dir: str, checkpoint: str, step: int) -> Optional[str]:
    """Moves a checkpoint, and what was evaluated at its step, to MODEL_DIR/diverged.

    To be called where training diverged twice from the same checkpoint, which then is suspect.

    Returns:
      The path prefix of the checkpoint before it; None, and nothing is moved, if there is none.
    """
    whole = [
        other
        for other in checkpoint_files.checkpoints_in(model_dir)
        if other != checkpoint and not checkpoint_files.damage(other)
    ]
    if not whole:
        return None
    aside = os.path.join(model_dir, DIVERGED)
    os.makedirs(aside, exist_ok=True)
    for path in sorted(glob.glob(glob.escape(checkpoint) + ".*")):
        os.replace(path, os.path.join(aside, os.path.basename(path)))
    evaluated = os.path.join(model_dir, "evaluation", "step-%d" % step)
    if os.path.isdir(evaluated):
        os.replace(evaluated, tempfile.mkdtemp(prefix="evaluation-%d-" % step, dir=aside))
    return checkpoint_files.adopt_newest_whole(model_dir)
