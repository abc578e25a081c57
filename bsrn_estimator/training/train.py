"""Training from start, or from the last checkpoint, to the last step."""

import dataclasses
import os
from typing import Callable, Optional

from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.checkpoints.files import checkpoint_of, newest_step, remove_leftovers
from bsrn_estimator.compat import tf
from bsrn_estimator.config import Config
from bsrn_estimator.data import input_fn
from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.data.reader import CorruptRecords
from bsrn_estimator.errors import RunFailed, UserError
from bsrn_estimator.interruption import Interrupted, Interruption, this_command
from bsrn_estimator.platforms.base import Platform, RunOptions
from bsrn_estimator.training import curves, data_identity, divergence, hooks, model_fn, rollbacks
from bsrn_estimator.training.options import ROLLBACK, STOP, TrainingOptions


def train(
    config: Config,
    platform: Platform,
    run: RunOptions,
    options: TrainingOptions,
    evaluate: Optional[Callable] = None,
    scaffold: Callable = lambda: None,
) -> int:
    """Trains until `train_steps`, a signal, or the end of the time allowed.

    Args:
      config: the hyper-parameters.
      platform: the devices.
      run: how the run is carried out.
      options: data, length and reports.
      evaluate: called with path prefix and step of each checkpoint that is to be evaluated, and
        with the hooks of that evaluation.
      scaffold: makes the tf.train.Scaffold that gives a new run its first weights, or None.

    Returns:
      The exit status: 0, or what the shell expects after a signal.

    Raises:
      UserError: the records cannot serve this configuration, or are damaged, or are not those that
        the folder was trained with.
      RunFailed: the numbers diverged, or the disk is full.
    """
    if options.on_nan == ROLLBACK and platform.rank_size > 1:
        raise UserError("--on_nan=rollback is for one process; with several give --on_nan=stop")
    if platform.rank == 0:
        remove_leftovers(run.model_dir)
    with Interruption() as interruption:
        while True:
            attempt = _Attempt(config, platform, run, options, interruption)
            try:
                return attempt.train(evaluate, scaffold)
            except divergence.Diverged as diverged:
                attempt.recover(diverged)


class _Attempt:
    """Training from the newest checkpoint until it ends or diverges.

    Args: see `train`.
    """

    def __init__(self, config, platform, run, options, interruption) -> None:
        self._config, self._platform, self._run = config, platform, run
        self._options, self._interruption = options, interruption
        self._corrupt = CorruptRecords()
        if not checkpoint_files.adopt_newest_whole(run.model_dir):
            _refuse_damaged(run.model_dir)
        self._rollbacks = rollbacks.Rollbacks.load(run.model_dir)
        fresh = tf.train.latest_checkpoint(run.model_dir) is None
        self._start = options.first_step if fresh else newest_step(run.model_dir)

    def train(self, evaluate: Optional[Callable], scaffold: Callable) -> int:
        """Trains; returns the exit status. See `train` above."""
        options, run, interruption = self._options, self._run, self._interruption
        breaks_off = [hooks.EvaluationStop(interruption)]
        stop = hooks.StopHook(interruption, options.max_seconds)
        try:
            if self._start >= options.train_steps:
                print("%s is at step %d already; nothing to train" % (run.model_dir, self._start))
                if evaluate:
                    newest = tf.train.latest_checkpoint(run.model_dir)
                    evaluate(newest, self._start, breaks_off)
            else:
                self._train(
                    stop,
                    # What mypy knows of `evaluate` it forgets in a lambda.
                    evaluate and (lambda path, step: evaluate(path, step, breaks_off)),  # type: ignore[misc]
                    scaffold,
                )
        except Interrupted:
            # Out of an evaluation, which follows the checkpoint of its step.
            pass
        if self._platform.rank == 0:
            self._say_what_was(stop)
        return interruption.exit_status(options.preemption_exit_zero)

    def _train(self, stop, evaluate, scaffold) -> None:
        config, platform, run, options = self._config, self._platform, self._run, self._options
        platform.check_steps(self._start, options.train_steps, run.save_checkpoints_steps)
        read = self._reader(self._start, platform.strings_in_batches)
        self._bind_folder()
        rate = config.learning_rate * self._rollbacks.rate_factor
        build = model_fn.build(dataclasses.replace(config, learning_rate=rate), platform, scaffold)
        estimator = platform.training_estimator(build, run)
        progress = curves.TrainingHook(
            run.model_dir if platform.rank == 0 else None,
            options.train_steps,
            _patches_per_step(config, platform),
            options.summary_steps,
            options.log_steps,
            self._counters,
        )
        guard = divergence.DivergenceHook(options.explosion_factor)
        saver = platform.saver_hook(run) if platform.rank == 0 else None
        listeners = [divergence.FiniteWeights(), curves.CurvesBeforeCheckpoint(progress)]
        if evaluate:
            listeners.append(self._evaluation(evaluate, progress, stop))
        try:
            estimator.train(
                read,
                # The saver last: what belongs to a step is written before its checkpoint.
                hooks=[progress, guard, stop] + ([saver] if saver else []),
                max_steps=options.train_steps,
                saving_listeners=listeners if platform.rank == 0 else None,
            )
        finally:
            progress.close()

    def _reader(self, step: int, with_keys: bool) -> Callable:
        """The input function of the steps after `step`."""
        platform, options = self._platform, self._options
        return input_fn.training_input_fn(
            options.data_dir,
            self._config,
            start_step=step * platform.batches_per_step + self._rollbacks.skipped_batches,
            rank=platform.rank,
            rank_size=platform.rank_size,
            patches_per_tile=self._config.patches_per_tile,
            with_keys=with_keys,
            skip_corrupt=options.skip_corrupt,
            max_corrupt_share=options.max_corrupt_share,
            corrupt=self._corrupt,
        )

    def _bind_folder(self) -> None:
        """Writes down what the folder is trained with, once all that can be refused has been."""
        if self._platform.rank > 0:
            return
        options, folder = self._options, self._run.model_dir
        data = data_identity.identity(
            Manifest.load_alone(options.data_dir),
            batches_per_step=self._platform.batches_per_step * self._platform.rank_size,
        )
        data_identity.check(folder, data, options.allow_change)
        self._config.save(folder)
        data_identity.save(folder, data)

    def _evaluation(self, evaluate, progress, stop) -> hooks.EvaluationListener:
        options, saved_at = self._options, self._start - 1

        def is_due(step: int) -> bool:
            nonlocal saved_at
            # Not the remainder: steps made in loops on a device may pass over a multiple.
            due = step // options.evaluation_steps > saved_at // options.evaluation_steps
            saved_at = step
            at_the_end = step >= options.train_steps or stop.out_of_time
            return step > 0 and (at_the_end or due)

        def evaluate_step(step: int) -> None:
            evaluate(checkpoint_of(self._run.model_dir, step), step)

        return hooks.EvaluationListener(evaluate_step, is_due, [progress, stop])

    def _counters(self):
        return {"data/corrupt_records": self._corrupt.total} if self._options.skip_corrupt else {}

    def recover(self, diverged: divergence.Diverged) -> None:
        """Keeps the batch of a divergence, then goes back or gives up.

        Raises:
          RunFailed: training is not to go on.
        """
        options, platform, run = self._options, self._platform, self._run
        path = divergence.file_of(run.model_dir, diverged.step, platform.rank)
        names = divergence.save_batch(
            self._reader(max(diverged.step - 1, 0), with_keys=True),
            path,
            platform.batches_per_step,
            step=diverged.step,
            loss=diverged.loss,
        )
        good = checkpoint_files.newest_whole(run.model_dir)
        seen = "step %d: %s; its batch (%s) is kept in %s" % (
            diverged.step,
            diverged.reason,
            divergence.shown(names),
            path,
        )
        if options.on_nan == STOP or not good:
            raise RunFailed(
                "%s; the last good checkpoint is %s; go on from it with a lower --learning_rate "
                "and --allow_change, or with --on_nan=rollback" % (seen, good or "none")
            )
        done = len(self._rollbacks.of_run)
        if done >= options.max_rollbacks:
            raise RunFailed(
                "%s; the last good checkpoint is %s; training went back %d times already, which "
                "is --max_rollbacks" % (seen, good, done)
            )
        self._go_back(diverged, good, seen)

    def _go_back(self, diverged, good: str, seen: str) -> None:
        options, model_dir = self._options, self._run.model_dir
        step = newest_step(model_dir)
        if self._rollbacks.of_run and self._rollbacks.of_run[-1].back_to == step:
            before = rollbacks.set_aside(model_dir, good, step)
            good, step = (before, newest_step(model_dir)) if before else (good, step)
        rollback = rollbacks.Rollback(
            diverged_at=diverged.step,
            back_to=step,
            reason=diverged.reason,
            skipped_batches=(diverged.step - step) * self._platform.batches_per_step,
            rate_factor=options.rollback_rate,
        )
        self._rollbacks.and_one(rollback).save(model_dir)
        print(
            "%s; back to %s with other data and %g times the learning rate"
            % (seen, good, options.rollback_rate),
            flush=True,
        )

    def _say_what_was(self, stop: hooks.StopHook) -> None:
        """The last lines: what was left out, and how to go on."""
        for path, records in self._corrupt.by_file.items():
            print("left out for damage: %d records of %s" % (records, path), flush=True)
        step, end = newest_step(self._run.model_dir), self._options.train_steps
        if self._interruption.received:
            why = "stopped"
        elif stop.out_of_time and step < end:
            why = "time is up"
        else:
            return
        print(
            "%s at step %d of %d; the same command goes on from there: %s"
            % (why, step, end, this_command()),
            flush=True,
        )


def _refuse_damaged(model_dir: str) -> None:
    """Refuses a folder that had checkpoints and holds no whole one, rather than start afresh."""
    if os.path.exists(os.path.join(model_dir, "checkpoint")):
        raise UserError(
            "--model_dir=%s was trained in and holds no whole checkpoint any more; restore one, or "
            "name another folder" % model_dir
        )


def _patches_per_step(config: Config, platform: Platform) -> int:
    scales = len(config.scales) if config.scale_schedule == "joint" else 1
    return config.batch_size * scales * platform.batches_per_step * platform.rank_size
