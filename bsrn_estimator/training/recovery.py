"""What follows a divergence: its batch is kept, and the run goes back to an earlier checkpoint."""

from typing import Tuple

from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.errors import RunFailed
from bsrn_estimator.training import divergence
from bsrn_estimator.training.divergence import Diverged
from bsrn_estimator.training.options import STOP, TrainingOptions
from bsrn_estimator.training.reading import Reading
from bsrn_estimator.training.rollbacks import Rollback, Rollbacks, set_aside


def recover(
    model_dir: str,
    diverged: Diverged,
    reading: Reading,
    rollbacks: Rollbacks,
    options: TrainingOptions,
) -> None:
    """Keeps the batch of a divergence, then goes back or gives up.

    Args:
      model_dir: the model folder.
      diverged: what was seen.
      reading: what the run reads.
      rollbacks: those of the run so far.
      options: what to do.

    Raises:
      RunFailed: training is not to go on.
    """
    seen = _keep_batch(model_dir, diverged, reading, rollbacks)
    good = checkpoint_files.newest_whole(model_dir)
    if options.on_nan == STOP or not good:
        raise RunFailed(
            "%s; the last good checkpoint is %s; go on from it with a lower --learning_rate "
            "and --allow_change, or with --on_nan=rollback" % (seen, good or "none")
        )
    done = len(rollbacks.of_run)
    if done >= options.max_rollbacks:
        raise RunFailed(
            "%s; the last good checkpoint is %s; training went back %d times already, which "
            "is --max_rollbacks" % (seen, good, done)
        )
    good, step = _checkpoint_to_go_back_to(model_dir, good, rollbacks)
    rollback = Rollback(
        diverged_at=diverged.step,
        back_to=step,
        reason=diverged.reason,
        skipped_batches=(diverged.step - step) * reading.platform.batches_per_step,
        rate_factor=options.rollback_rate,
    )
    rollbacks.and_one(rollback).save(model_dir)
    print(
        "%s; back to %s with other data and %g times the learning rate"
        % (seen, good, options.rollback_rate),
        flush=True,
    )


def _keep_batch(model_dir: str, diverged: Diverged, reading: Reading, rollbacks: Rollbacks) -> str:
    """Writes the batch of a divergence to a file; returns the sentence that says so."""
    path = divergence.file_of(model_dir, diverged.step, reading.platform.rank)
    names = divergence.save_batch(
        reading.after(max(diverged.step - 1, 0), rollbacks.skipped_batches),
        path,
        reading.platform.batches_per_step,
        step=diverged.step,
        loss=diverged.loss,
    )
    return "step %d: %s; its batch (%s) is kept in %s" % (
        diverged.step,
        diverged.reason,
        divergence.shown(names),
        path,
    )


def _checkpoint_to_go_back_to(model_dir: str, good: str, rollbacks: Rollbacks) -> Tuple[str, int]:
    """The newest checkpoint and its step; the one before where the run went back to it already."""
    step = checkpoint_files.newest_step(model_dir)
    if rollbacks.of_run and rollbacks.of_run[-1].back_to == step:
        before = set_aside(model_dir, good, step)
        if before:
            return before, checkpoint_files.newest_step(model_dir)
    return good, step
