"""What the commands do, for programs: records, training, evaluation and export.

Each function takes the settings objects that the flags of the command become, raises `UserError`
where the command prints a sentence and ends, and returns what it made. The sentences call a setting
by its flag: `--train_steps` is the field `train_steps`. TensorFlow is imported when a function that
needs it is called.
"""

import contextlib
import io
import os
import signal
import sys
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, TextIO

from bsrn_estimator import failures, flags, json_lines
from bsrn_estimator.config import Recipe
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation.options import EvaluationOptions
from bsrn_estimator.export.options import ExportOptions
from bsrn_estimator.networks import families
from bsrn_estimator.networks.base import Network
from bsrn_estimator.platforms.cluster.options import ClusterOptions
from bsrn_estimator.platforms.options import DeviceOptions, RunOptions
from bsrn_estimator.training import log
from bsrn_estimator.training.options import TrainingOptions
from data_tools.convert import Result
from data_tools.convert import convert as convert_pictures
from data_tools.options import ConversionOptions
from data_tools.stopping import Stopped
from data_tools.workers import WorkerDied


class Trained(NamedTuple):
    """What a training run left.

    Attributes:
      model_dir: its folder; `evaluate` and `export_network` take it as a checkpoint.
      step: that of the newest checkpoint.
      finished: whether that is the last one asked for; else it was stopped, or its time was up, and
        the same call goes on.
      checkpoint: the newest checkpoint, as a path without endings.
      best: the folder of the best checkpoint; None where nothing was evaluated.
      log: the lines of MODEL_DIR/log.jsonl. Those of the `kind` "training" are points of the curves
        ("step", "loss/total" and so on), those of "evaluation" have the `set` and its means
        ("psnr_y/x2" and so on).
    """

    model_dir: str
    step: int
    finished: bool
    checkpoint: str
    best: Optional[str]
    log: List[Dict[str, Any]]


class Evaluated(NamedTuple):
    """What an evaluation found.

    Attributes:
      checkpoint: what was evaluated, as a path without endings.
      figures: by the name of the set, what its metrics.json holds: `figures[name]["scales"]["2"]`
        has psnr_y, ssim_y, psnr_rgb, rmse_rgb, bicubic_psnr_y and bicubic_ssim_y, means over
        pictures, None where that is not finite, and the figures of each picture below `images`.
      paths: by the name of the set, the metrics.json.
      table: the figures as text.
    """

    checkpoint: str
    figures: Dict[str, Dict[str, Any]]
    paths: Dict[str, str]
    table: str


def convert(options: ConversionOptions) -> Result:
    """Pictures to TFRecords, as `bsrn-to-tfrecord` makes them.

    Where the same records are there already, nothing is done. Conversions use several processes,
    which start afresh: a script calls this below `if __name__ == "__main__":`, or with `workers=1`.

    Args:
      options: the pictures, where the records go, and how they are made.

    Returns:
      The folder, what is in it (`manifest`: `records`, `pictures`, `scales` and so on), the
      seconds that it took, and the pictures that were left out.

    Raises:
      UserError: something is wrong with the pictures, the settings or the folder.
    """
    try:
        return convert_pictures(options.complete())
    except WorkerDied as error:
        hint = "; a script calls convert below if __name__ == '__main__':"
        raise WorkerDied(str(error) + hint) from None
    except Stopped as stopped:
        if stopped.number == signal.SIGINT:
            raise KeyboardInterrupt(str(stopped)) from None
        sys.exit(128 + stopped.number)


def train(
    network: Optional[Network] = None,
    recipe: Optional[Recipe] = None,
    training: Optional[TrainingOptions] = None,
    run: Optional[RunOptions] = None,
    evaluation: Optional[EvaluationOptions] = None,
    checkpoint: Optional[str] = None,
    devices: Optional[DeviceOptions] = None,
    output: Optional[TextIO] = None,
) -> Trained:
    """Trains a network, or goes on, as `--mode=train` and `--mode=train_and_evaluate`.

    All that is not given is as in the command: BSRN, and the recipe of its family's paper, in
    `runs/bsrn`, on `tfrecords/div2k_train`. Ctrl-C ends training with a checkpoint, and this
    function returns.

    Args:
      network: what to train, such as `Bsrn(scales=(2, 4), recursions=8)`.
      recipe: batches, rates and so on.
      training: the records, and when to end.
      run: the folder (`model_dir`), and how often checkpoints are written.
      evaluation: sets on which every checkpoint at `training.evaluation_steps` is evaluated; the
        best is kept. By default there is no evaluation.
      checkpoint: gives a new run its first weights.
      devices: CPU or GPUs. Ascend is for the command.
      output: where the lines go that the command prints; by default nowhere. Without a terminal
        on standard error, progress is among them.

    Returns:
      Where the run is, how far it has come, and its curves.

    Raises:
      UserError: a setting, the records or the folder are not right.
      RunFailed: the numbers diverged, or the disk is full.
    """
    training, run = training or TrainingOptions(), _in_a_folder(run)
    flags.check_run(training, run, checkpoint, evaluation is not None)
    with _told(run.model_dir, output):
        from bsrn_estimator import modes
        from bsrn_estimator.checkpoints import best, files
        from bsrn_estimator.checkpoints.config_file import Config

        platform = _platform(devices, trains=True)
        network = network or families.DEFAULT()
        usual = Recipe.of(network, scale_schedule=platform.default_schedule)
        config = Config(network, recipe or usual)
        modes.train(config, platform, run, training, evaluation, checkpoint)
        newest = files.newest_whole(run.model_dir)
        if newest is None:
            raise UserError("training in %s was stopped before a first checkpoint" % run.model_dir)
        step = files.newest_step(run.model_dir)
        kept = os.path.join(run.model_dir, best.FOLDER)
        return Trained(
            run.model_dir,
            step,
            step >= training.train_steps,
            newest,
            kept if os.path.isdir(kept) else None,
            list(json_lines.read(os.path.join(run.model_dir, log.FILE_NAME))),
        )


def evaluate(
    checkpoint: str,
    evaluation: Optional[EvaluationOptions] = None,
    run: Optional[RunOptions] = None,
    scales: Optional[Sequence[int]] = None,
    given: Optional[Mapping[str, Any]] = None,
    devices: Optional[DeviceOptions] = None,
    output: Optional[TextIO] = None,
) -> Evaluated:
    """PSNR and SSIM of a checkpoint by the protocol of the documents, as `--mode=evaluate`.

    Args:
      checkpoint: a checkpoint; a folder, for the newest in it; "clean" or "photo", for a network
        that comes with the project.
      evaluation: the records (`eval_data_dir`, several with commas) and the protocol; by default
        `tfrecords/bsd100`.
      run: `model_dir` takes the results, by default the folder of the checkpoint.
      scales: by default all that the network has.
      given: fields of a network that no shape in a checkpoint tells, by name, where it has no
        config.json, such as `recursions`.
      devices: CPU or GPUs. Ascend is for the command.
      output: where the lines go that the command prints; by default nowhere.

    Returns:
      The figures, and where they are written.

    Raises:
      UserError: the checkpoint or the records cannot be used.
    """
    protocol, how = evaluation or EvaluationOptions(), run or RunOptions()
    mixed = bool(devices and devices.mixed_precision)
    with _told(how.model_dir or checkpoint, output):
        from bsrn_estimator import modes
        from bsrn_estimator.checkpoints import files
        from bsrn_estimator.evaluation import tables

        platform = _platform(devices)

        def measure(prefix: str) -> Evaluated:
            folder = how.model_dir or files.results_folder(prefix)
            evaluator, network = modes.evaluator_of(
                prefix,
                platform,
                how.replace(model_dir=folder),
                protocol,
                tuple(scales) if scales else None,
                given,
                mixed,
            )
            figures = evaluator.evaluate(prefix, again=True)
            table = tables.text([tables.Measured(prefix, network, figures)])
            return Evaluated(prefix, figures, evaluator.paths(prefix), table)

        return files.with_newest(checkpoint, measure)


def export_network(options: ExportOptions, output: Optional[TextIO] = None) -> List[str]:
    """Writes a trained network as SavedModel, frozen graph or ONNX model, as `--mode=export`.

    Args:
      options: the network (`checkpoint`), the format (`export_format`), and where to
        (`export_dir`).
      output: where the lines go that the command prints; by default nowhere.

    Returns:
      The paths of what was written, one for each scale, or the folder of the SavedModel.

    Raises:
      UserError: the network cannot be used, or there is an export already.
    """
    with _told(options.export_dir or options.model_dir or "export", output):
        from bsrn_estimator.export import export as exporting

        return exporting.write(options)


def _in_a_folder(run: Optional[RunOptions]) -> RunOptions:
    run = run or RunOptions(model_dir=flags.MainOptions().model_dir)
    if not run.model_dir:
        raise UserError("a run needs a folder; give RunOptions(model_dir='runs/NAME')")
    return run


def _platform(devices: Optional[DeviceOptions], trains: bool = False) -> Any:
    from bsrn_estimator.platforms import choice
    from bsrn_estimator.platforms.cluster.tf_config import EvaluatorTask

    devices = devices or DeviceOptions()
    if devices.use_npu:
        raise UserError("Ascend is for the command: scripts/run_npu.sh; leave use_npu out")
    try:
        return choice.of(devices, ClusterOptions(), trains)
    except EvaluatorTask:
        raise UserError(
            "TF_CONFIG makes this process an evaluator, which is for the command: --mode=evaluate"
        ) from None


@contextlib.contextmanager
def _told(folder: str, output: Optional[TextIO]) -> Iterator[None]:
    """What is printed goes to `output`, and what stops it from outside becomes a UserError."""
    with contextlib.redirect_stdout(output or io.StringIO()), failures.readable(folder):
        yield
