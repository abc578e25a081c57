"""What each mode but predict does: brings together the rooms that know nothing of one another."""

import functools
import os
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple

from bsrn_estimator import failures, files, flags, model_fn
from bsrn_estimator.checkpoints import best, contents, restoring
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation import following, report, sets, tables
from bsrn_estimator.evaluation.options import EvaluationOptions
from bsrn_estimator.evaluation.sets import SetsEvaluator
from bsrn_estimator.evaluation.tables import Measured
from bsrn_estimator.export import export
from bsrn_estimator.export.options import ExportOptions
from bsrn_estimator.flags import FLAGS
from bsrn_estimator.interruption import Interruption, this_command
from bsrn_estimator.networks.base import Network
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.platforms.choice import choose
from bsrn_estimator.platforms.cluster.tf_config import EvaluatorTask
from bsrn_estimator.platforms.options import RunOptions
from bsrn_estimator.scales import require
from bsrn_estimator.training import features
from bsrn_estimator.training import hooks as training_hooks
from bsrn_estimator.training import last_step as run_end
from bsrn_estimator.training import train as training
from bsrn_estimator.training.log import RunLog
from bsrn_estimator.training.model_folder import RunFolder
from bsrn_estimator.training.options import TrainingOptions


def run(mode: str) -> int:
    """Carries out a mode as the flags say; returns the exit status.

    Raises:
      UserError: something is wrong that the user can mend.
    """
    with failures.readable(FLAGS.model_dir):
        return _RUN[mode]()


def _train(with_evaluation: bool) -> int:
    """Trains, or goes on training."""
    try:
        platform = choose(FLAGS, trains=True)
    except EvaluatorTask:
        return _evaluate_what_others_train(with_evaluation)
    schedule = FLAGS.scale_schedule or platform.default_schedule
    config = Config(flags.network(), flags.recipe(scale_schedule=schedule))
    _require_records(with_evaluation)
    return train(
        config,
        platform,
        _run_options(FLAGS.model_dir),
        TrainingOptions.from_flags(FLAGS),
        EvaluationOptions.from_flags(FLAGS) if with_evaluation else None,
        FLAGS.checkpoint,
    )


def train(
    config: Config,
    platform: Platform,
    run: RunOptions,
    options: TrainingOptions,
    evaluation: Optional[EvaluationOptions] = None,
    checkpoint: Optional[str] = None,
) -> int:
    """Trains, or goes on training, in the folder of `run`.

    Args:
      config: the network and its recipe.
      platform: the devices.
      run: how the run is carried out.
      options: data, length and reports.
      evaluation: on what, and how, checkpoints are evaluated on the way; None for not.
      checkpoint: what gives a new run its first weights.

    Returns:
      The exit status: 0, or what the shell expects after a signal.

    Raises:
      UserError: something is wrong that the user can mend.
    """
    features.check(config.network, platform)
    config = Config(features.prepare(config.network, options), config.recipe)

    def build() -> Callable[[Config], Callable]:
        first_weights = _first_weights(checkpoint, run.model_dir, config.network, options)
        return functools.partial(
            model_fn.build,
            platform=platform,
            first_weights=first_weights,
            feature_file=options.vgg19_weights,
        )

    if platform.rank > 0:
        # The folder is held, and all that is written is written, by rank 0.
        return training.train(config, platform, run, options, build())
    with RunFolder(run.model_dir) as folder:
        folder.check(config, options.allow_change)
        made, evaluate = build(), None
        if evaluation is not None:
            evaluator = SetsEvaluator(config.network, platform, run, evaluation)
            evaluate = functools.partial(_evaluate_and_keep, evaluator, config, run.model_dir)
        return training.train(config, platform, run, options, made, evaluate)


def _evaluate_what_others_train(with_evaluation: bool) -> int:
    """The task "evaluator" of TF_CONFIG, beside a chief that trains alone."""
    if with_evaluation:
        raise UserError(
            "TF_CONFIG makes this process an evaluator, and with --mode=train_and_evaluate the "
            "chief evaluates; give every task --mode=train, or leave the evaluator out"
        )
    return _follow(FLAGS.train_steps if FLAGS["train_steps"].present else None)


def _evaluate_and_keep(
    evaluator: SetsEvaluator,
    config: Config,
    model_dir: str,
    checkpoint: str,
    step: int,
    hooks: Sequence[Any],
) -> None:
    """Evaluates a checkpoint of a run, and keeps it if it is the best so far."""
    # A run that was killed between two of these goes on with the next.
    found = evaluator.evaluate(checkpoint, hooks)
    log = RunLog(model_dir)
    for name, content in found.items():
        weights = content["weights"]["digest"]
        log.evaluation(
            step, name, report.means(content), records=content["records"], weights=weights
        )
    best.keep_if_best(model_dir, checkpoint, found[evaluator.decisive], config)


def _evaluate() -> int:
    """Evaluates one checkpoint; or several, which are compared; or all of a run, as they come."""
    last_step = FLAGS.train_steps if FLAGS["train_steps"].present else None
    if EvaluationOptions.from_flags(FLAGS).follow:
        return _follow(last_step)
    paths = [FLAGS.model_dir]
    if FLAGS.checkpoint:
        paths = files.listed_paths(FLAGS.checkpoint, "checkpoint", checkpoint_files.may_be)
    if len(paths) > 1:
        # A wrong one is told before the first is measured.
        for path in paths:
            checkpoint_files.resolve(path)
    found = [checkpoint_files.with_newest(path, _evaluate_checkpoint) for path in paths]
    if len(found) > 1:
        compared = [one._replace(name=path) for path, one in zip(paths, found)]
        print(tables.text(compared), flush=True)
        if FLAGS["model_dir"].present:
            tables.save(compared, os.path.join(FLAGS.model_dir, "evaluation"), "comparison")
    return 0


def _follow(last_step: Optional[int]) -> int:
    """Evaluates every checkpoint of a run, and keeps the best; `last_step` as the user gave it."""
    folder = FLAGS.model_dir
    # What is wrong with the records is told before the first checkpoint comes.
    sets.named(EvaluationOptions.from_flags(FLAGS))
    with Interruption("ending the evaluation") as interruption:
        breaks_off = [training_hooks.EvaluationStop(interruption)]

        def evaluate(checkpoint: str, step: int) -> None:
            evaluator, _ = _evaluator(checkpoint, folder)
            config = Config.load(folder)
            _evaluate_and_keep(evaluator, config, folder, checkpoint, step, breaks_off)

        def end() -> Optional[int]:
            return last_step or run_end.load(folder)

        if not following.Follower(folder, evaluate, end, interruption).follow():
            print("stopped; the same command goes on: %s" % this_command(), flush=True)
    return interruption.exit_status()


def _evaluate_checkpoint(checkpoint: str) -> Measured:
    results = checkpoint_files.results_folder(checkpoint)
    if FLAGS.checkpoint and FLAGS["model_dir"].present:
        results = FLAGS.model_dir
    evaluator, network = _evaluator(checkpoint, results)
    return Measured(checkpoint, network, evaluator.evaluate(checkpoint, again=True))


def _evaluator(checkpoint: str, results: str) -> Tuple[SetsEvaluator, Network]:
    """What evaluates a checkpoint as the flags say, and its network; `results` is a folder."""
    return evaluator_of(
        checkpoint,
        choose(FLAGS),
        _run_options(results),
        EvaluationOptions.from_flags(FLAGS),
        flags.chosen_scales(),
        flags.given(),
        bool(FLAGS.mixed_precision),
    )


def evaluator_of(
    checkpoint: str,
    platform: Platform,
    run: RunOptions,
    options: EvaluationOptions,
    scales: Optional[Sequence[int]] = None,
    given: Optional[Mapping[str, Any]] = None,
    mixed: bool = False,
) -> Tuple[SetsEvaluator, Network]:
    """What evaluates a checkpoint, and the network that it holds.

    Args:
      checkpoint: its path prefix.
      platform: the devices.
      run: how the run is carried out; its model folder takes the results.
      options: the sets and the protocol.
      scales: by default all that the network has.
      given: see `contents.network_of`.
      mixed: whether it is to be computed in the lower precision that the devices have.

    Raises:
      UserError: the checkpoint cannot be used, or the records cannot serve the scales.
    """
    network = contents.network_of(checkpoint, given)
    scales = scales or network.scales
    require(scales, network.scales, "the network of %s" % checkpoint)
    precision = platform.precision_of_pictures(mixed)
    print("network: %s, computed in %s" % (checkpoint, precision), flush=True)
    return SetsEvaluator(network, platform, run, options, scales, precision), network


def _export() -> int:
    """Exports a trained network."""
    return export.run(ExportOptions.from_flags(FLAGS, **flags.network_to_use()))


def _require_records(with_evaluation: bool) -> None:
    """Says how to make the default data sets where they are not there."""
    missing = []
    if not os.path.isdir(FLAGS.data_dir):
        missing.append(("data_dir", FLAGS.data_dir, "div2k --input_dir=DIV2K"))
    for folder in EvaluationOptions.from_flags(FLAGS).folders if with_evaluation else ():
        if not os.path.isdir(folder):
            missing.append(("eval_data_dir", folder, "bsd100 --input_dir=BSD100"))
    if missing:
        raise UserError(
            "; ".join(
                "--%s=%s is not there; make it with: python data_tools/to_tfrecord.py --dataset=%s "
                "--output_dir=%s" % (flag, path, command, path)
                for flag, path, command in missing
            )
        )


def _first_weights(
    given: Optional[str], model_dir: str, network: Network, options: TrainingOptions
) -> Callable:
    """What makes the Scaffold of a run: that of the checkpoint `given`, or none."""
    if not given:
        return lambda: None
    if checkpoint_files.checkpoints_in(model_dir):
        # It may be gone by now, and is not read.
        print(
            "--checkpoint=%s is for a new run and not used: %s goes on from its own checkpoint"
            % (given, model_dir),
            flush=True,
        )
        return lambda: None
    return restoring.initial_weights(
        checkpoint_files.resolve(given),
        network,
        with_optimizer=options.initial_step is not None,
        initial_step=options.initial_step,
        partial=options.partial_checkpoint,
    )


def _run_options(model_dir: str) -> RunOptions:
    return RunOptions.from_flags(FLAGS, model_dir=model_dir)


_RUN: Dict[str, Callable[[], int]] = {
    "train": functools.partial(_train, with_evaluation=False),
    "train_and_evaluate": functools.partial(_train, with_evaluation=True),
    "evaluate": _evaluate,
    "export": _export,
}
