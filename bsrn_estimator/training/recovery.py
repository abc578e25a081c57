"""What follows a divergence: its batch is kept, and the run goes back to an earlier checkpoint."""

from typing import Optional, Tuple

from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.errors import RunFailed
from bsrn_estimator.networks.base import Network
from bsrn_estimator.training import divergence, health_history
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
    network = reading.config.network
    good, step = _checkpoint_to_go_back_to(model_dir, good, rollbacks, network)
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


def _checkpoint_to_go_back_to(
    model_dir: str, good: str, rollbacks: Rollbacks, network: Network
) -> Tuple[str, int]:
    """The newest checkpoint that serves, and its step.

    Those after it are set aside: one that the run went back to already, and those whose health is
    not that of the run before them. Numbers may stay finite long after a network has broken.
    """
    step = checkpoint_files.newest_step(model_dir)
    former = rollbacks.of_run[-1].back_to if rollbacks.of_run else None
    while True:
        if step == former:
            fault: Optional[str] = "training went back to it before, and diverged again"
        else:
            fault = health_history.fault(model_dir, good, step, network)
        before = set_aside(model_dir, good, step) if fault else None
        if not before:
            return good, step
        print("%s is passed over: %s" % (good, fault), flush=True)
        good, step = before, checkpoint_files.newest_step(model_dir)
