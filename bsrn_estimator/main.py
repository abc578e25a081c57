"""Trains, evaluates and uses BSRN: `python -m bsrn_estimator.main --mode=...`."""

import os
import signal
import sys
from typing import Any, Dict, List

from absl import app

from bsrn_estimator import failures, flags, platforms
from bsrn_estimator.checkpoints import best, contents, restoring
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.config import Config
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation.evaluator import Evaluator
from bsrn_estimator.evaluation.options import EvaluationOptions
from bsrn_estimator.export import export
from bsrn_estimator.export.options import ExportOptions
from bsrn_estimator.flags import FLAGS
from bsrn_estimator.inference import predict
from bsrn_estimator.inference.options import PredictOptions
from bsrn_estimator.platforms.base import RunOptions
from bsrn_estimator.platforms.cpu import CpuPlatform
from bsrn_estimator.training import train as training
from bsrn_estimator.training.model_folder import RunFolder
from bsrn_estimator.training.options import TrainingOptions

# What the shapes in a checkpoint do not tell.
_NOT_IN_SHAPES = ["recursions", "recursion_frequency"]


def train(with_evaluation: bool) -> int:
    """Trains, or goes on training; returns the exit status."""
    platform = platforms.choose(FLAGS)
    config = flags.config(platform.default_schedule)
    _require_records(with_evaluation)
    run = _run_options(FLAGS.model_dir)
    if platform.rank > 0:
        # The folder is held, and all that is written is written, by rank 0.
        return training.train(
            config, platform, run, _training_options(), scaffold=_first_weights(config)
        )
    with RunFolder(FLAGS.model_dir) as folder:
        folder.check(config, FLAGS.allow_change)
        evaluate_checkpoint = None
        if with_evaluation:
            evaluator = Evaluator(
                config, platform, run, FLAGS.eval_data_dir, config.scales, _evaluation_options()
            )

            def evaluate_checkpoint(checkpoint: str, step: int, hooks) -> None:
                # A run that was killed between the two goes on with the second.
                metrics = evaluator.recorded(step) or evaluator.evaluate(checkpoint, hooks)
                best.keep_if_best(FLAGS.model_dir, checkpoint, metrics, config)

        return training.train(
            config, platform, run, _training_options(), evaluate_checkpoint, _first_weights(config)
        )


def evaluate() -> int:
    """Evaluates one checkpoint; returns the exit status."""
    checkpoint = checkpoint_files.resolve(FLAGS.checkpoint or FLAGS.model_dir)
    config = contents.config_of(
        checkpoint, **{name: getattr(FLAGS, name) for name in flags.given(_NOT_IN_SHAPES)}
    )
    results = checkpoint_files.results_folder(checkpoint)
    if FLAGS.checkpoint and flags.given(["model_dir"]):
        results = FLAGS.model_dir
    scales = flags.scales() if flags.given(["scales"]) else config.scales
    _require_scales(scales, config.scales)
    Evaluator(
        config,
        platforms.choose(FLAGS),
        _run_options(results),
        FLAGS.eval_data_dir,
        scales,
        _evaluation_options(),
    ).evaluate(checkpoint)
    return 0


def predict_pictures() -> int:
    """Upscales picture files; returns the exit status."""
    return predict.run(
        PredictOptions(
            input=FLAGS.input,
            output_dir=FLAGS.output_dir,
            output=FLAGS.output,
            tile=FLAGS.tile,
            overlap=FLAGS.tile_overlap,
            self_ensemble=FLAGS.self_ensemble,
            compare=FLAGS.compare,
            hr_dir=FLAGS.hr_dir,
            shave=FLAGS.shave,
            output_format=FLAGS.output_format,
            quality=FLAGS.quality,
            first_frame=FLAGS.first_frame,
            follow_links=FLAGS.follow_links,
            from_results=FLAGS.from_results,
            session_config=_session_config(),
            **_network_to_use(),
        )
    )


def export_network() -> int:
    """Exports a trained network; returns the exit status."""
    return export.run(
        ExportOptions(
            export_dir=FLAGS.export_dir,
            export_format=FLAGS.export_format,
            size=flags.export_size(),
            output=FLAGS.output,
            **_network_to_use(),
        )
    )


def _network_to_use() -> Dict[str, Any]:
    """What predict and export share: the network, its outputs, and what may be replaced."""
    named = FLAGS.checkpoint or (FLAGS.model_dir if flags.given(["model_dir"]) else None)
    options = {name: getattr(FLAGS, name) for name in flags.given(_NOT_IN_SHAPES + ["max_pixels"])}
    return dict(
        options,
        checkpoint=named,
        model_dir=FLAGS.model_dir,
        scales=flags.scales() if flags.given(["scales"]) else None,
        first_output=FLAGS.first_output,
        overwrite=FLAGS.overwrite,
    )


def _session_config():
    """The devices and threads that predict uses; on Ascend the host's."""
    platform = CpuPlatform() if FLAGS.use_npu else platforms.choose(FLAGS)
    return platform.session_config(_run_options(FLAGS.model_dir))


def _require_scales(scales, known) -> None:
    missing = sorted(set(scales) - set(known))
    if missing:
        raise UserError(
            "--scales=%s: the network was trained for %s alone"
            % (",".join(map(str, missing)), ", ".join("x%d" % scale for scale in known))
        )


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


def _first_weights(config: Config):
    """What makes the Scaffold of a run: that of --checkpoint, or none."""
    if not FLAGS.checkpoint:
        return lambda: None
    checkpoint = checkpoint_files.resolve(FLAGS.checkpoint)
    return restoring.initial_weights(
        checkpoint,
        config,
        with_optimizer=FLAGS.initial_step is not None,
        initial_step=FLAGS.initial_step,
    )


def _run_options(model_dir: str) -> RunOptions:
    return RunOptions(
        model_dir=model_dir,
        save_checkpoints_steps=FLAGS.save_checkpoints_steps,
        keep_checkpoint_max=FLAGS.keep_checkpoint_max,
        seed=FLAGS.seed,
        threads=FLAGS.threads,
    )


def _training_options() -> TrainingOptions:
    return TrainingOptions(
        data_dir=FLAGS.data_dir,
        train_steps=FLAGS.train_steps,
        evaluation_steps=FLAGS.evaluation_steps,
        summary_steps=FLAGS.summary_steps,
        log_steps=FLAGS.log_steps,
        max_seconds=FLAGS.max_train_minutes and 60 * FLAGS.max_train_minutes,
        first_step=FLAGS.initial_step or 0,
        allow_change=FLAGS.allow_change,
        skip_corrupt=FLAGS.skip_corrupt,
        max_corrupt_share=FLAGS.max_corrupt_share,
        explosion_factor=FLAGS.explosion_factor,
        on_nan=FLAGS.on_nan,
        max_rollbacks=FLAGS.max_rollbacks,
        rollback_rate=FLAGS.rollback_rate,
        preemption_exit_zero=FLAGS.preemption_exit_zero,
    )


def _evaluation_options() -> EvaluationOptions:
    return EvaluationOptions(
        shave=FLAGS.shave,
        single_outputs=FLAGS.single_outputs,
        uiqm=FLAGS.uiqm,
        save_pictures=FLAGS.save_pictures,
    )


_RUN = {
    "train": lambda: train(with_evaluation=False),
    "train_and_evaluate": lambda: train(with_evaluation=True),
    "evaluate": evaluate,
    "predict": predict_pictures,
    "export": export_network,
}


def main(argv: List[str]) -> int:
    """Carries out --mode; returns the exit status."""
    try:
        if len(argv) > 1:
            raise UserError("%s is not a flag; every argument starts with --" % argv[1])
        flags.check()
        with failures.readable(FLAGS.model_dir):
            return _RUN[FLAGS.mode]()
    except UserError as error:
        print("error: %s" % error, file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        # Where no checkpoint is to be saved; what is written appears whole or not at all.
        print("\nstopped by Ctrl-C", file=sys.stderr)
        return 128 + signal.SIGINT


def run() -> None:
    """The entry point of the command."""
    flags.define()
    app.run(main, flags_parser=_parse)


def _parse(argv: List[str]) -> List[str]:
    app.define_help_flags()
    try:
        return FLAGS(argv)
    except (flags.flags.Error, OSError) as error:
        print("error: %s" % " ".join(str(error).split()), file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    run()
