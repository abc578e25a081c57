"""What each mode but predict does: brings together the rooms that know nothing of one another."""

import functools
import os
from typing import Any, Callable, Dict, Sequence

from bsrn_estimator import failures, flags, model_fn
from bsrn_estimator.checkpoints import best, contents, restoring
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.compat import TF2
from bsrn_estimator.config import Recipe
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation.evaluator import Evaluator
from bsrn_estimator.evaluation.options import EvaluationOptions
from bsrn_estimator.export import export
from bsrn_estimator.export.options import ExportOptions
from bsrn_estimator.flags import FLAGS
from bsrn_estimator.networks.base import Network
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.platforms.choice import choose
from bsrn_estimator.platforms.options import RunOptions
from bsrn_estimator.scales import require
from bsrn_estimator.training import train as training
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
    platform = choose(FLAGS)
    schedule = FLAGS.scale_schedule or platform.default_schedule
    config = Config(flags.network(), Recipe.from_flags(FLAGS, scale_schedule=schedule))
    _require_records(with_evaluation)
    run = _run_options(FLAGS.model_dir)
    options = TrainingOptions.from_flags(FLAGS)
    _require_averages(config, platform)

    def build(slowed: Config) -> Callable:
        return model_fn.build(slowed, platform, first_weights=first_weights)

    if platform.rank > 0:
        # The folder is held, and all that is written is written, by rank 0.
        first_weights = _first_weights(config.network, options)
        return training.train(config, platform, run, options, build)
    with RunFolder(run.model_dir) as folder:
        folder.check(config, options.allow_change)
        first_weights = _first_weights(config.network, options)
        evaluate = None
        if with_evaluation:
            evaluation = EvaluationOptions.from_flags(FLAGS)
            evaluator = Evaluator(config.network, platform, run, evaluation)
            evaluate = functools.partial(_evaluate_and_keep, evaluator, config)
        return training.train(config, platform, run, options, build, evaluate)


def _evaluate_and_keep(
    evaluator: Evaluator, config: Config, checkpoint: str, step: int, hooks: Sequence[Any]
) -> None:
    """Evaluates a checkpoint of a run, and keeps it if it is the best so far."""
    # A run that was killed between the two goes on with the second.
    metrics = evaluator.recorded(checkpoint) or evaluator.evaluate(checkpoint, hooks)
    best.keep_if_best(FLAGS.model_dir, checkpoint, metrics, config)


def _evaluate() -> int:
    """Evaluates one checkpoint."""
    return checkpoint_files.with_newest(FLAGS.checkpoint or FLAGS.model_dir, _evaluate_checkpoint)


def _evaluate_checkpoint(checkpoint: str) -> int:
    network = contents.network_of(checkpoint, flags.given())
    results = checkpoint_files.results_folder(checkpoint)
    if FLAGS.checkpoint and FLAGS["model_dir"].present:
        results = FLAGS.model_dir
    scales = flags.chosen_scales() or network.scales
    require(scales, network.scales, "the network of %s" % checkpoint)
    options = EvaluationOptions.from_flags(FLAGS)
    platform = choose(FLAGS)
    precision = platform.precision_of_pictures(bool(FLAGS.mixed_precision))
    print("network: %s, computed in %s" % (checkpoint, precision), flush=True)
    run = _run_options(results)
    evaluator = Evaluator(network, platform, run, options, scales, precision)
    evaluator.evaluate(checkpoint)
    return 0


def _export() -> int:
    """Exports a trained network."""
    return export.run(ExportOptions.from_flags(FLAGS, **flags.network_to_use()))


def _require_records(with_evaluation: bool) -> None:
    """Says how to make the default data sets where they are not there."""
    missing = []
    if not os.path.isdir(FLAGS.data_dir):
        missing.append(("data_dir", FLAGS.data_dir, "div2k --input_dir=DIV2K"))
    if with_evaluation and not os.path.isdir(FLAGS.eval_data_dir):
        missing.append(("eval_data_dir", FLAGS.eval_data_dir, "bsd100 --input_dir=BSD100"))
    if missing:
        raise UserError(
            "; ".join(
                "--%s=%s is not there; make it with: python data_tools/to_tfrecord.py --dataset=%s "
                "--output_dir=%s" % (flag, path, command, path)
                for flag, path, command in missing
            )
        )


def _require_averages(config: Config, platform: Platform) -> None:
    """Raises UserError where this TensorFlow cannot average the weights of replicas."""
    if config.recipe.ema_decay and platform.batches_per_step > 1 and not TF2:
        raise UserError(
            "--ema_decay with --replicas needs TensorFlow 2.21; set up with RUNTIME=tf2, or leave "
            "one of them out"
        )


def _first_weights(network: Network, options: TrainingOptions) -> Callable:
    """What makes the Scaffold of a run: that of --checkpoint, or none."""
    if not FLAGS.checkpoint:
        return lambda: None
    if checkpoint_files.checkpoints_in(FLAGS.model_dir):
        # It may be gone by now, and is not read.
        print(
            "--checkpoint=%s is for a new run and not used: %s goes on from its own checkpoint"
            % (FLAGS.checkpoint, FLAGS.model_dir),
            flush=True,
        )
        return lambda: None
    checkpoint = checkpoint_files.resolve(FLAGS.checkpoint)
    return restoring.initial_weights(
        checkpoint,
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
