"""Training from start, or from the last checkpoint, to the last step."""

import functools
import json
import os
from typing import Any, Callable, Dict, Optional

from bsrn_estimator.checkpoints import best, config_file, contents
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.checkpoints.patient_saver import restoring_patiently
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import RunFailed, UserError
from bsrn_estimator.interruption import Interrupted, Interruption, this_command
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.platforms.options import RunOptions
from bsrn_estimator.training import (
    curves,
    data_identity,
    divergence,
    health,
    hooks,
    last_step,
    recovery,
    rollbacks,
    skipped,
)
from bsrn_estimator.training.log import RunLog
from bsrn_estimator.training.options import ROLLBACK, STOP, TrainingOptions
from bsrn_estimator.training.progress_line import ProgressHook
from bsrn_estimator.training.reading import Reading
from bsrn_estimator.training.rollbacks import Rollbacks


def train(
    config: Config,
    platform: Platform,
    run: RunOptions,
    options: TrainingOptions,
    build: Callable[[Config], Callable],
    evaluate: Optional[hooks.Evaluate] = None,
) -> int:
    """Trains until `train_steps`, a signal, or the end of the time allowed.

    Args:
      config: the network and its recipe.
      platform: the devices.
      run: how the run is carried out.
      options: data, length and reports.
      build: makes the `model_fn` of a configuration, the one given or one of a lower rate.
      evaluate: called with path prefix and step of each checkpoint that is to be evaluated, and
        with the hooks of that evaluation.

    Returns:
      The exit status: 0, or what the shell expects after a signal.

    Raises:
      UserError: the records cannot serve this configuration, or are damaged, or are not those that
        the folder was trained with.
      RunFailed: the numbers diverged.
    """
    if options.on_nan == ROLLBACK and platform.rank_size > 1:
        raise UserError("--on_nan=rollback is for one process; with several give --on_nan=stop")
    if options.on_dead == STOP and not (platform.reports_health and platform.rank_size == 1):
        raise UserError(
            "--on_dead=stop is for one process and not for --use_npu; leave it out, and look at a "
            "checkpoint with python -m bsrn_estimator.checkpoints show"
        )
    if platform.rank == 0:
        checkpoint_files.remove_leftovers(run.model_dir)
    with Interruption() as interruption:

        def stopped_status() -> int:
            return interruption.exit_status(options.preemption_exit_zero)

        facts = functools.partial(_facts, config, platform, run, options)
        try:
            with platform.together(run, facts, interruption, stopped_status):
                while True:
                    attempt = _Attempt(config, platform, run, options, interruption)
                    try:
                        return attempt.train(build, evaluate)
                    except divergence.Diverged as diverged:
                        recovery.recover(
                            run.model_dir, diverged, attempt.reading, attempt.rollbacks, options
                        )
        except Interrupted:
            # Before there was anything to save.
            return stopped_status()


def _facts(
    config: Config, platform: Platform, run: RunOptions, options: TrainingOptions
) -> Dict[str, Any]:
    """What processes that train together have to have in common."""
    data = Reading.of(config, platform, run.model_dir, options).identity()
    facts: Dict[str, Any] = dict(config.to_dict(), train_steps=options.train_steps, data=data)
    facts.update(replicas=platform.batches_per_step, tensorflow=tf.__version__)
    return json.loads(json.dumps(facts))


class _Attempt:
    """Training from the newest checkpoint until it ends or diverges.

    Args: see `train`.

    Attributes:
      reading: what it reads.
      rollbacks: those of the run before it.
    """

    def __init__(self, config, platform, run, options, interruption) -> None:
        self._config, self._platform, self._run = config, platform, run
        self._options, self._interruption = options, interruption
        self.reading = Reading.of(config, platform, run.model_dir, options)
        if not checkpoint_files.adopt_newest_whole(run.model_dir):
            _refuse_damaged(run.model_dir)
        self.rollbacks = Rollbacks.load(run.model_dir)
        fresh = checkpoint_files.adopted(run.model_dir) is None
        first = options.initial_step or 0
        self._start = first if fresh else checkpoint_files.newest_step(run.model_dir)

    def train(self, build: Callable, evaluate: Optional[hooks.Evaluate]) -> int:
        """Trains; returns the exit status. See `train` above."""
        options, run, interruption = self._options, self._run, self._interruption
        breaks_off = [hooks.EvaluationStop(interruption)]
        stop = hooks.StopHook(interruption, options.max_seconds, self._platform.votes)
        try:
            if self._start >= options.train_steps:
                print("%s is at step %d already; nothing to train" % (run.model_dir, self._start))
                if self._platform.rank == 0:
                    last_step.save(run.model_dir, options.train_steps)
                newest = checkpoint_files.adopted(run.model_dir)
                if evaluate and newest:
                    evaluate(newest, self._start, breaks_off)
            else:
                self._make_steps(build, evaluate, stop, breaks_off)
        except Interrupted:
            # Out of an evaluation, which follows the checkpoint of its step.
            pass
        if self._platform.rank == 0:
            self._say_what_was(stop)
        return interruption.exit_status(options.preemption_exit_zero)

    def _make_steps(self, build, evaluate, stop, breaks_off) -> None:
        platform, run, options = self._platform, self._run, self._options
        is_first = platform.rank == 0
        platform.check_steps(self._start, options.train_steps, run.save_checkpoints_steps)
        passed_over = self.rollbacks.skipped_batches
        read = self.reading.after(self._start, passed_over, platform.strings_in_batches)
        self._bind_folder()
        if is_first and self._start:
            print("%s goes on from step %d" % (run.model_dir, self._start), flush=True)
        estimator = platform.training_estimator(self._model_fn(build), run)
        patches = self.reading.patches_per_step
        look = health.HealthHook(options.summary_steps, options.on_dead)
        looks = [look] if is_first and platform.reports_health else []
        counted = [skipped.SkippedSteps(platform)] if platform.may_skip_steps else []
        points = curves.CurvesHook(
            run.model_dir if is_first else None,
            patches,
            options.summary_steps,
            curves.together([self.reading] + looks + counted),
            self._texts(),
            RunLog(run.model_dir).point,
        )
        progress = ProgressHook(options.train_steps, patches, options.log_steps)
        guard = divergence.DivergenceHook(options.explosion_factor)
        finite = (
            divergence.FiniteFile(run.model_dir)
            if platform.checks_saved_file
            else divergence.FiniteWeights()
        )
        listeners = [finite, curves.CurvesBeforeCheckpoint(points)]
        if evaluate:
            listeners.append(
                hooks.EvaluationListener(
                    evaluate,
                    run.model_dir,
                    options,
                    self._start,
                    stop,
                    [points, progress, stop],
                    breaks_off,
                    platform.check_pause,
                )
            )
        saver = platform.saver_hook(run) if is_first else None
        try:
            estimator.train(
                read,
                # The saver last: what belongs to a step is written before its checkpoint.
                hooks=platform.hooks()
                + looks
                + [points, progress, guard, stop]
                + counted
                + ([saver] if saver else []),
                max_steps=options.train_steps,
                saving_listeners=listeners if is_first else None,
            )
        finally:
            points.close()
            progress.close()
        if look.dying:
            raise RunFailed(
                "%s; the last checkpoint is %s"
                % (look.dying, checkpoint_files.adopted(run.model_dir))
            )

    def _model_fn(self, build: Callable) -> Callable:
        """The model function, which goes on from a checkpoint of version 0.1.0 too."""
        model_fn, newest = build(self._slowed()), checkpoint_files.adopted(self._run.model_dir)
        if newest and contents.describe(newest).is_former:
            return restoring_patiently(model_fn, self._run.keep_checkpoint_max)
        return model_fn

    def _texts(self) -> Dict[str, str]:
        """Recipe, network and data, for TensorBoard, in its Markdown."""
        reading = self.reading
        data = dict(reading.identity(), name=reading.data_set, data_dir=reading.data_dir)
        del data["shards"]
        return {"config": _listed(self._config.to_dict()), "data": _listed(data)}

    def _slowed(self) -> Config:
        """The configuration at the rate that rollbacks have left."""
        rate = self._config.recipe.learning_rate * self.rollbacks.rate_factor
        return self._config._replace(recipe=self._config.recipe.replace(learning_rate=rate))

    def _bind_folder(self) -> None:
        """Writes down what the folder is trained with, once all that can be refused has been."""
        if self._platform.rank > 0:
            return
        folder, data = self._run.model_dir, self.reading.identity()
        data_identity.check(folder, data, self._options.allow_change)
        self._config.save(folder)
        data_identity.save(folder, data)
        last_step.save(folder, self._options.train_steps)
        RunLog(folder).go_back_to(self._start)

    def _say_what_was(self, stop: hooks.StopHook) -> None:
        """The last lines: what was left out, and how to go on."""
        corrupt = self.reading.corrupt
        for path, records in corrupt.by_file.items() if corrupt else ():
            print("left out for damage: %d records of %s" % (records, path), flush=True)
        step = checkpoint_files.newest_step(self._run.model_dir)
        end = self._options.train_steps
        if self._interruption.received:
            why = "stopped"
        elif stop.out_of_time and step < end:
            why = "time is up"
        else:
            if step > self._start:
                print("%s is trained to step %d" % (self._run.model_dir, step), flush=True)
            return
        print(
            "%s at step %d of %d; the same command goes on from there: %s"
            % (why, step, end, this_command()),
            flush=True,
        )


def _listed(values: Dict[str, Any]) -> str:
    """A list in Markdown."""
    return "\n".join("- %s: %s" % item for item in values.items())


def _refuse_damaged(model_dir: str) -> None:
    """Refuses a folder that had checkpoints and holds no whole one, rather than start afresh.

    Not for its config.json alone: a run that was killed before its first checkpoint leaves that
    behind. Nor for evaluations alone, which may be of a checkpoint from elsewhere.
    """
    signs = ["checkpoint"]
    if config_file.exists(model_dir):
        signs += [best.FOLDER, "evaluation", rollbacks.FILE_NAME]
    found = [name for name in signs if os.path.exists(os.path.join(model_dir, name))]
    found += [os.path.basename(path) for path in checkpoint_files.checkpoints_in(model_dir)]
    if found:
        raise UserError(
            "--model_dir=%s was trained in (it has %s) and holds no whole checkpoint any more; "
            "restore one, or name another folder%s"
            % (
                model_dir,
                ", ".join(found[:3]),
                ", with --checkpoint=%s to go on from there" % os.path.join(model_dir, best.FOLDER)
                if best.FOLDER in found
                else "",
            )
        )
