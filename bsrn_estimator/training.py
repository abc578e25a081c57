"""Training from start, or from the last checkpoint, to the last step."""

import contextlib
import dataclasses
import os
from typing import Callable, Optional

from bsrn_estimator import checkpoints, hooks, input_fn, model_fn
from bsrn_estimator.compat import tf
from bsrn_estimator.config import Config
from bsrn_estimator.errors import UserError
from bsrn_estimator.interruption import Interruption
from bsrn_estimator.platforms.base import Platform, RunOptions


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """What a training run reads, how long it goes on, and how often it reports.

    Attributes:
      data_dir: folder of training records.
      train_steps: the step at which training ends.
      evaluation_steps: steps between evaluations; a multiple of the steps between checkpoints.
      summary_steps: steps between points of the curves.
      log_steps: steps between lines where the output is no terminal.
      max_seconds: ends training after so long, evaluations not counted; None for no limit.
      patches_per_tile: patches cut from a tile each time it is read.
    """

    data_dir: str
    train_steps: int
    evaluation_steps: int = 10000
    summary_steps: int = 100
    log_steps: int = 100
    max_seconds: Optional[float] = None
    patches_per_tile: int = 8


def train(
    config: Config,
    platform: Platform,
    run: RunOptions,
    options: TrainingOptions,
    evaluate: Optional[Callable[[str, int], None]] = None,
    scaffold: Callable = lambda: None,
) -> int:
    """Trains until `train_steps`, a signal, or the end of the time allowed.

    Args:
      config: the hyper-parameters.
      platform: the devices.
      run: how the run is carried out.
      options: data, length and reports.
      evaluate: called with path prefix and step of each checkpoint that is to be evaluated.
      scaffold: makes the tf.train.Scaffold that gives a new run its first weights, or None.

    Returns:
      The exit status: 0, or what the shell expects after a signal.

    Raises:
      UserError: the records cannot serve this configuration.
    """
    checkpoints.adopt_newest_whole(run.model_dir)
    step = newest_step(run.model_dir)
    if step >= options.train_steps:
        print("%s is at step %d already; nothing to train" % (run.model_dir, step))
        if evaluate:
            evaluate(tf.train.latest_checkpoint(run.model_dir), step)
        return 0
    platform.check_steps(step, options.train_steps, run.save_checkpoints_steps)
    read = input_fn.training_input_fn(
        options.data_dir,
        config,
        start_step=step * platform.batches_per_step,
        rank=platform.rank,
        rank_size=platform.rank_size,
        patches_per_tile=options.patches_per_tile,
        with_keys=platform.strings_in_batches,
    )
    build = model_fn.build(
        config,
        wrap_optimizer=platform.wrap_optimizer,
        scaffold=scaffold,
        loss_scope=platform.loss_scope,
    )
    estimator = platform.training_estimator(build, run)
    with Interruption() as interruption:
        stop = hooks.StopHook(interruption, options.max_seconds)
        progress = hooks.TrainingHook(
            run.model_dir if platform.rank == 0 else None,
            options.train_steps,
            _patches_per_step(config, platform),
            options.summary_steps,
            options.log_steps,
        )

        saved_at = step - 1

        def is_due(step: int) -> bool:
            nonlocal saved_at
            # Not the remainder: steps made in loops on a device may pass over a multiple.
            due = step // options.evaluation_steps > saved_at // options.evaluation_steps
            saved_at = step
            at_the_end = step >= options.train_steps or stop.out_of_time
            return step > 0 and (at_the_end or due)

        listeners = []
        if evaluate:

            def evaluate_step(step: int) -> None:
                evaluate(checkpoint_of(run.model_dir, step), step)

            listeners.append(hooks.EvaluationListener(evaluate_step, is_due, [progress, stop]))
        # Not before all that can be refused has been: a folder is bound by its configuration.
        config.save(run.model_dir)
        with _readable_errors():
            estimator.train(
                read,
                hooks=[progress, stop],
                max_steps=options.train_steps,
                saving_listeners=listeners,
            )
    if platform.rank == 0:
        _say_how_to_go_on(run.model_dir, options, interruption, stop)
    return interruption.exit_status


@contextlib.contextmanager
def _readable_errors():
    """Turns what a session says of bad data into the sentence behind it."""
    try:
        yield
    except tf.errors.OpError as error:
        sentence = input_fn.sentence_of(error)
        if sentence is None:
            raise
        raise UserError(sentence) from None


def checkpoint_of(model_dir: str, step: int) -> str:
    """Path prefix of the checkpoint that training wrote at `step`."""
    return os.path.join(model_dir, "model.ckpt-%d" % step)


def newest_step(model_dir: str) -> int:
    """The step of the newest checkpoint in `model_dir`; 0 where there is none."""
    newest = tf.train.latest_checkpoint(model_dir)
    if not newest:
        return 0
    return int(tf.train.load_variable(newest, tf.GraphKeys.GLOBAL_STEP))


def _patches_per_step(config: Config, platform: Platform) -> int:
    scales = len(config.scales) if config.scale_schedule == "joint" else 1
    return config.batch_size * scales * platform.batches_per_step * platform.rank_size


def _say_how_to_go_on(model_dir, options, interruption, stop) -> None:
    step = newest_step(model_dir)
    if interruption.received:
        print("stopped at step %d; the same command goes on from there" % step, flush=True)
    elif stop.out_of_time and step < options.train_steps:
        print("time is up at step %d; the same command goes on from there" % step, flush=True)
