"""The flags of `python -m bsrn_estimator.main`, and what they say together."""

from typing import Dict, List, Optional, Tuple

from absl import flags

from bsrn_estimator import config as config_module
from bsrn_estimator.config import Config
from bsrn_estimator.errors import UserError
from bsrn_estimator.export.options import FORMATS, ExportOptions
from bsrn_estimator.inference.options import PredictOptions
from bsrn_estimator.networks import bands
from bsrn_estimator.pictures import results, tiling
from bsrn_estimator.platforms.npu import options as npu_options
from bsrn_estimator.training import options as training_options

FLAGS = flags.FLAGS

MODES = ("train", "evaluate", "train_and_evaluate", "predict", "export")

_DEFAULTS = Config()


def define() -> None:
    """Defines every flag; once a process."""
    _define_run()
    _define_network()
    _define_recipe()
    _define_evaluation()
    npu_options.define_flags()
    _define_use()
    training_options.define_flags()


def _define_run() -> None:
    flags.DEFINE_enum("mode", "train_and_evaluate", MODES, "what to do")
    flags.DEFINE_string(
        "model_dir", "runs/bsrn", "folder of checkpoints, curves and evaluations; made if missing"
    )
    flags.DEFINE_string(
        "data_dir", "tfrecords/div2k_train", "training records that data_tools/to_tfrecord.py wrote"
    )
    flags.DEFINE_string(
        "eval_data_dir",
        "tfrecords/bsd100",
        "evaluation records that data_tools/to_tfrecord.py wrote",
    )
    flags.DEFINE_string(
        "checkpoint",
        None,
        "evaluate, predict, export: the checkpoint to use, by default the newest in --model_dir; "
        "pretrained for the network that comes with the project; "
        "train: first weights of a new run. A checkpoint of the reference implementation will do",
    )
    flags.DEFINE_integer(
        "initial_step",
        None,
        "with --checkpoint in a new run: takes Adam's state over too and goes on at this step",
        lower_bound=0,
    )
    flags.DEFINE_boolean("use_npu", False, "train on Huawei Ascend through npu_bridge")
    flags.DEFINE_enum(
        "device", "auto", ("auto", "cpu", "gpu"), "auto takes a GPU where TensorFlow sees one"
    )
    flags.DEFINE_integer(
        "replicas", 1, "GPUs that train together, a batch each in every step", lower_bound=1
    )
    flags.DEFINE_boolean(
        "mixed_precision",
        False,
        "TensorFlow 2.15: convolutions in float16 on GPUs, in bfloat16 on CPUs that have it",
    )
    flags.DEFINE_integer(
        "threads", 0, "CPU threads; 0 for all; 1 makes runs equal to the bit", lower_bound=0
    )
    flags.DEFINE_integer("train_steps", 1000000, "the step at which training ends", lower_bound=1)
    flags.DEFINE_float(
        "max_train_minutes", None, "ends training, with a checkpoint, after so many minutes", 0.0
    )
    flags.DEFINE_integer("save_checkpoints_steps", 1000, "steps between checkpoints", lower_bound=1)
    flags.DEFINE_integer(
        "keep_checkpoint_max", 5, "newest checkpoints kept; 0 keeps all", lower_bound=0
    )
    flags.DEFINE_integer("summary_steps", 100, "steps between points of a curve", lower_bound=1)
    flags.DEFINE_integer(
        "log_steps", 100, "steps between lines where the output is not a terminal", lower_bound=1
    )
    flags.DEFINE_boolean(
        "allow_change",
        False,
        "lets a run go on with another batch size, learning rate or data set than it had",
    )


def _define_network() -> None:
    flags.DEFINE_list("scales", [str(s) for s in _DEFAULTS.scales], "scales, of 2, 3, 4 and 8")
    flags.DEFINE_integer("conv_features", _DEFAULTS.conv_features, "channels of the features")
    flags.DEFINE_integer(
        "state_features", _DEFAULTS.state_features, "channels of the block state; 0 for none"
    )
    flags.DEFINE_integer("recursions", _DEFAULTS.recursions, "times the block is applied")
    flags.DEFINE_integer(
        "recursion_frequency", _DEFAULTS.recursion_frequency, "recursions between two outputs"
    )


def _define_recipe() -> None:
    flags.DEFINE_enum(
        "scale_schedule",
        None,
        config_module.SCALE_SCHEDULES,
        "random: one scale a step, as the paper; joint: all scales in every step, the default "
        "with --use_npu and with --replicas",
    )
    flags.DEFINE_integer(
        "batch_size", _DEFAULTS.batch_size, "LR patches of one scale in one step on one device"
    )
    flags.DEFINE_integer("patch_size", _DEFAULTS.patch_size, "side of an LR patch in pixels")
    flags.DEFINE_float("learning_rate", _DEFAULTS.learning_rate, "Adam's rate at step 0")
    flags.DEFINE_float(
        "learning_rate_decay", _DEFAULTS.learning_rate_decay, "factor of the rate at each stair"
    )
    flags.DEFINE_integer(
        "learning_rate_decay_steps",
        _DEFAULTS.learning_rate_decay_steps,
        "steps from stair to stair",
    )
    flags.DEFINE_float(
        "clip_norm", _DEFAULTS.clip_norm, "largest norm of a tensor's gradient; 0 clips nothing"
    )
    flags.DEFINE_float("adam_epsilon", _DEFAULTS.adam_epsilon, "Adam's epsilon")
    flags.DEFINE_float(
        "ema_decay",
        _DEFAULTS.ema_decay,
        "decay of the moving average of the weights that is evaluated and exported; 0 for none",
    )
    flags.DEFINE_integer(
        "seed", _DEFAULTS.seed, "seed of the first weights and of every draw of training data"
    )
    flags.DEFINE_integer(
        "patches_per_tile",
        _DEFAULTS.patches_per_tile,
        "patches cut from a tile each time it is read",
    )


def _define_evaluation() -> None:
    flags.DEFINE_integer(
        "evaluation_steps",
        10000,
        "steps between evaluations; a multiple of --save_checkpoints_steps",
        lower_bound=1,
    )
    flags.DEFINE_integer(
        "shave", None, "pixels left out along each border; the scale by default", lower_bound=0
    )
    flags.DEFINE_boolean("single_outputs", False, "evaluates each output beside the ensemble")
    flags.DEFINE_boolean("save_pictures", False, "writes the pictures of an evaluation")
    flags.DEFINE_boolean("uiqm", False, "adds UIQM, a measure of underwater pictures")


def _define_use() -> None:
    flags.DEFINE_string(
        "input", None, "predict: a picture, a folder of pictures, or a pattern in quotes"
    )
    flags.DEFINE_string("output_dir", "upscaled", "predict: folder for the results")
    flags.DEFINE_enum(
        "output",
        "ensemble",
        bands.OUTPUTS,
        "predict, export: the weighted mean of all outputs, the last output, or (predict) all",
    )
    flags.DEFINE_integer(
        "first_output",
        0,
        "predict, export: leaves so many of the first, weakest outputs out of the ensemble",
        lower_bound=0,
    )
    flags.DEFINE_boolean(
        "self_ensemble", False, "predict: mean over eight flips and rotations, eight times as slow"
    )
    flags.DEFINE_enum(
        "output_format", "png", results.FORMATS, "predict: what the results are written as"
    )
    flags.DEFINE_integer(
        "quality",
        None,
        "predict: 1 to 100, of JPEG (95 by default) and WebP (loses nothing by default)",
    )
    flags.DEFINE_boolean(
        "first_frame", False, "predict: takes the first of several frames or pages"
    )
    flags.DEFINE_boolean("follow_links", False, "predict: looks into linked folders")
    flags.DEFINE_boolean(
        "from_results", False, "predict: takes what predict has written for pictures too"
    )
    flags.DEFINE_boolean("compare", False, "predict: writes the bicubic enlargement too")
    flags.DEFINE_string(
        "hr_dir", None, "predict: HR pictures of the same names, to compare the results with"
    )
    flags.DEFINE_integer(
        "tile", None, "predict: side of a tile in LR pixels; bounds the memory", lower_bound=1
    )
    flags.DEFINE_integer(
        "tile_overlap",
        tiling.OVERLAP,
        "predict: LR pixels computed around what a tile keeps",
        lower_bound=0,
    )
    flags.DEFINE_boolean(
        "overwrite", False, "predict, export: makes again, or replaces, what is there"
    )
    flags.DEFINE_integer(
        "max_pixels",
        None,
        "the largest picture read (predict, %d by default), or decoded by an exported SavedModel "
        "(export, %d)" % (PredictOptions.max_pixels, ExportOptions.max_pixels),
        lower_bound=1,
    )
    flags.DEFINE_string("export_dir", None, "export: where to; MODEL_DIR/export by default")
    flags.DEFINE_enum("export_format", "saved_model", FORMATS, "export: what to write")
    flags.DEFINE_list(
        "export_size", None, "export: HEIGHT,WIDTH in LR pixels, for a fixed shape (frozen, onnx)"
    )


def scales() -> Tuple[int, ...]:
    """The scales of --scales, ascending.

    Raises:
      UserError: one of them is not a number.
    """
    try:
        return tuple(sorted({int(scale) for scale in FLAGS.scales}))
    except ValueError:
        raise UserError(
            "--scales takes numbers such as 2,3,4, not %s" % ",".join(FLAGS.scales)
        ) from None


def export_size() -> Optional[Tuple[int, int]]:
    """Height and width of --export_size; None where it is not given.

    Raises:
      UserError: it is not two numbers.
    """
    if not FLAGS.export_size:
        return None
    try:
        height, width = (int(side) for side in FLAGS.export_size)
        return height, width
    except ValueError:
        raise UserError(
            "--export_size takes HEIGHT,WIDTH in LR pixels such as 120,80, not %s"
            % ",".join(FLAGS.export_size)
        ) from None


def config(schedule: str) -> Config:
    """The configuration that the flags describe; `schedule` where --scale_schedule is not given.

    Raises:
      UserError: a value is out of range, or two contradict each other.
    """
    values: Dict = {
        name: getattr(FLAGS, name)
        for name in _DEFAULTS.to_dict()
        if name in FLAGS and name not in ("scales", "scale_schedule")
    }
    values["scale_schedule"] = FLAGS.scale_schedule or schedule
    return Config(scales=scales(), **values)


def check() -> None:
    """Raises UserError where flags contradict each other."""
    if FLAGS.evaluation_steps % FLAGS.save_checkpoints_steps:
        raise UserError(
            "--evaluation_steps=%d must be a multiple of --save_checkpoints_steps=%d, since "
            "checkpoints are what is evaluated"
            % (FLAGS.evaluation_steps, FLAGS.save_checkpoints_steps)
        )
    if FLAGS.initial_step is not None and not FLAGS.checkpoint:
        raise UserError("--initial_step says where --checkpoint stood; give --checkpoint too")
    training_options.check(FLAGS)
    if not FLAGS.use_npu:
        npu_options.refuse_given(FLAGS)
    if FLAGS.ema_decay and FLAGS.replicas > 1:
        raise UserError("--ema_decay is for one device; leave it out with --replicas")
    if FLAGS.use_npu and FLAGS.device == "gpu":
        raise UserError("--use_npu and --device=gpu contradict each other; give one of them")


def given(names: List[str]) -> List[str]:
    """Those of `names` that were given on the command line or in a flag file."""
    return [name for name in names if FLAGS[name].present]
