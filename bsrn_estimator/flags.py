"""The flags of `python -m bsrn_estimator.main`: each room's, and what they say together.

Nothing here imports TensorFlow, so that a mistake in a flag is told at once.
"""

import dataclasses
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Type

from absl import flags

from bsrn_estimator.checkpoints.options import UseOptions
from bsrn_estimator.config import Recipe
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation.options import EvaluationOptions
from bsrn_estimator.export.options import ExportOptions
from bsrn_estimator.inference.options import PredictOptions
from bsrn_estimator.networks import families
from bsrn_estimator.networks.base import Network
from bsrn_estimator.platforms.cluster.options import ClusterOptions
from bsrn_estimator.platforms.npu import options as npu_options
from bsrn_estimator.platforms.options import DeviceOptions, RunOptions
from bsrn_estimator.scales import parsed
from bsrn_estimator.settings import (
    EVALUATION,
    MODES,
    TRAINING,
    USE,
    Flag,
    Settings,
    default_shown,
    setting,
)
from bsrn_estimator.training.options import TrainingOptions

# Its own, apart from those that libraries of the same process define.
FLAGS = flags.FlagValues()

# What the modes do, for --help.
MODE_HELP = {
    "train": "trains, or goes on training",
    "train_and_evaluate": "the same, with an evaluation now and then",
    "evaluate": "PSNR and SSIM of a checkpoint, of several, or of a run as it goes on",
    "predict": "upscales picture files",
    "export": "writes a trained network as SavedModel, frozen graph or ONNX model",
}


@dataclasses.dataclass(frozen=True)
class MainOptions(Settings):
    """What every mode reads."""

    mode: str = setting("train_and_evaluate", "what to do", choices=MODES)
    network: str = setting(
        families.DEFAULT.family,
        "the family of networks: bsrn, or srdrm for underwater pictures",
        choices=tuple(family.family for family in families.FAMILIES),
        modes=TRAINING,
    )
    model_dir: str = setting(
        "runs/bsrn", "folder of checkpoints, curves and evaluations; made if missing"
    )
    checkpoint: Optional[str] = setting(
        None,
        "evaluate, predict, export: the checkpoint to use; pretrained, or clean, for the network "
        "that comes with the project, photo for that for JPEG photographs; predict: auto for photo "
        "where a picture is a JPEG or a lossy WebP, else clean; evaluate compares several, with "
        "commas; train: first weights of a new run. A checkpoint of the reference implementation "
        "will do",
        kind=str,
        shown="the newest in --model_dir; without it predict: auto, export: pretrained",
    )


class Section(NamedTuple):
    """A part of --help: the settings of a room, and the modes that read them.

    Attributes:
      title: what it is called.
      classes: the settings.
      modes: the modes, where a setting says nothing else.
    """

    title: str
    classes: Tuple[Type[Settings], ...]
    modes: Tuple[str, ...]


SECTIONS = (
    Section("Run", (MainOptions,), MODES),
    Section("Devices", (DeviceOptions, RunOptions), TRAINING),
    Section("Several machines, with TF_CONFIG", (ClusterOptions,), TRAINING),
    Section("Network (of a checkpoint only what its config.json does not tell)", (), MODES),
    Section("Recipe", (Recipe,), TRAINING),
    Section("Training", (TrainingOptions,), TRAINING),
    Section("Evaluation", (EvaluationOptions,), EVALUATION),
    Section("Use", (UseOptions,), USE),
    Section("Predict", (PredictOptions,), ("predict",)),
    Section("Export", (ExportOptions,), ("export",)),
    Section("Ascend, with --use_npu", (npu_options.NpuOptions,), TRAINING),
)

_defined: Dict[str, List[Flag]] = {}


def define() -> None:
    """Defines every flag, once a process."""
    if _defined:
        return
    flags.DEFINE_boolean("help", False, "shows the flags; with --mode those of it", FLAGS)
    flags.DEFINE_boolean("version", False, "shows the version", FLAGS)
    for section in SECTIONS:
        classes = section.classes or families.FAMILIES
        _defined[section.title] = [
            _with_other_defaults(flag)
            for settings in classes
            for flag in settings.define_flags(FLAGS, section.modes)
        ]


def _with_other_defaults(flag: Flag) -> Flag:
    """The flag with the defaults that it has in other families of networks than the default."""
    others = [
        "%s %s" % (family, default_shown(default))
        for family, default in families.other_defaults(flag.name).items()
    ]
    return flag._replace(default="; ".join([flag.default] + others)) if others else flag


def shown(mode: Optional[str] = None) -> List[Tuple[str, List[Flag]]]:
    """The flags by section: all, or those that a mode reads."""
    return [
        (title, [flag for flag in found if mode is None or mode in flag.modes])
        for title, found in _defined.items()
    ]


def unread(argv: Sequence[str]) -> List[str]:
    """The flags that `argv` names though the mode does not read them.

    A flag file holds the flags of a network for every mode, so what it names is not meant.
    """
    words = {word.lstrip("-").partition("=")[0] for word in argv if word.startswith("-")}
    words |= {word[len("no") :] for word in words if word.startswith("no")}
    known = [flag for found in _defined.values() for flag in found]
    return [f.name for f in known if FLAGS.mode not in f.modes and f.name in words]


def network() -> Network:
    """The network that the flags describe.

    Raises:
      UserError: a value is out of range, or two contradict each other.
    """
    family = _family()
    own = [field.name for field in dataclasses.fields(family)]
    for other in families.FAMILIES:
        for field in dataclasses.fields(other):
            if field.name not in own and field.name in FLAGS and FLAGS[field.name].present:
                raise UserError(
                    "--%s is of --network=%s; leave it out with --network=%s"
                    % (field.name, other.family, family.family)
                )
    given_scales = chosen_scales()
    return family.from_flags(FLAGS, **({"scales": given_scales} if given_scales else {}))


def recipe(**others: Any) -> Recipe:
    """The recipe that the flags describe, with the defaults of the network's family.

    Args:
      others: fields that take another value than that of their flag.

    Raises:
      UserError: a value is out of range.
    """
    own = {name: value for name, value in _family().recipe.items() if not FLAGS[name].present}
    return Recipe.from_flags(FLAGS, **dict(own, **others))


def _family() -> Type[Network]:
    return families.of(FLAGS.network) or families.DEFAULT


def chosen_scales() -> Optional[Tuple[int, ...]]:
    """The scales of --scales, ascending, where the user gave it."""
    return parsed(FLAGS.scales) if FLAGS["scales"].present else None


def given() -> Dict[str, object]:
    """The fields of a network that the user gave, of those that no shape in a checkpoint tells."""
    untold = [name for family in families.FAMILIES for name in family.untold]
    return {name: FLAGS[name].value for name in untold if FLAGS[name].present}


def network_to_use() -> Dict[str, Any]:
    """The network that predict and export take: fields of `UseOptions`."""
    folder = FLAGS.model_dir if FLAGS["model_dir"].present else None
    return dict(
        checkpoint=FLAGS.checkpoint or folder,
        model_dir=FLAGS.model_dir,
        given=given(),
        scales=chosen_scales(),
    )


def check() -> None:
    """Raises UserError where flags contradict each other, before any work starts."""
    DeviceOptions.from_flags(FLAGS)
    RunOptions.from_flags(FLAGS)
    check_run(FLAGS, FLAGS, FLAGS.checkpoint, FLAGS.mode == "train_and_evaluate")
    if FLAGS.follow and FLAGS.checkpoint:
        raise UserError("--follow follows the run in --model_dir; leave --checkpoint out")
    if FLAGS["max_corrupt_share"].present and not FLAGS.skip_corrupt:
        raise UserError("--max_corrupt_share is for --skip_corrupt; give that too")
    if not FLAGS.use_npu:
        npu_options.refuse_given(FLAGS)
    _check_settings()


def check_run(options: Any, run: Any, checkpoint: Optional[str], evaluates: bool) -> None:
    """Raises UserError where settings of a training run contradict each other.

    Args:
      options: the flags, or `TrainingOptions`.
      run: the flags, or `RunOptions`.
      checkpoint: that of the first weights.
      evaluates: whether checkpoints are evaluated on the way.
    """
    if evaluates and options.evaluation_steps % run.save_checkpoints_steps:
        raise UserError(
            "--evaluation_steps=%d must be a multiple of --save_checkpoints_steps=%d, since "
            "checkpoints are what is evaluated"
            % (options.evaluation_steps, run.save_checkpoints_steps)
        )
    if options.initial_step is not None and not checkpoint:
        raise UserError("--initial_step says where --checkpoint stood; give --checkpoint too")
    if options.partial_checkpoint and not checkpoint:
        raise UserError("--partial_checkpoint says how --checkpoint is taken; give that too")


def _check_settings() -> None:
    """Makes what the mode reads of the flags once, so that a wrong value is told at once."""
    chosen_scales()
    if FLAGS.mode in TRAINING:
        network()
        recipe()
        TrainingOptions.from_flags(FLAGS)
        ClusterOptions.from_flags(FLAGS)
    if FLAGS.mode in EVALUATION:
        EvaluationOptions.from_flags(FLAGS)
    if FLAGS.use_npu:
        npu_options.NpuOptions.from_flags(FLAGS)
        if (
            FLAGS.mode in TRAINING
            and FLAGS.scale_schedule == "random"
            and len(network().scales) > 1
        ):
            raise UserError(
                "--scale_schedule=random branches, which cannot be trained on the NPU; give "
                "--scale_schedule=joint, as configs/npu.flags does"
            )
    if FLAGS.mode == "predict":
        PredictOptions.from_flags(FLAGS, scales=chosen_scales())
    if FLAGS.mode == "export":
        ExportOptions.from_flags(FLAGS, scales=chosen_scales())


def parse(argv: List[str]) -> List[str]:
    """Parses a command line; returns what is not a flag, the program's name first.

    Raises:
      UserError: a flag is unknown, or a value is not one that it takes.
    """
    try:
        return FLAGS(argv)
    except (flags.Error, OSError) as error:
        raise UserError(" ".join(str(error).split())) from None
