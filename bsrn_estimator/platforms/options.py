"""On which devices a run takes place, and how it is carried out there."""

import dataclasses
from typing import Iterator, Optional, Tuple

from bsrn_estimator.settings import EVALUATION, MODES, TRAINING, Settings, setting

_ON_DEVICES = tuple(mode for mode in MODES if mode != "export")


@dataclasses.dataclass(frozen=True)
class DeviceOptions(Settings):
    """The devices that the user wants.

    Raises:
      UserError: two wishes contradict each other.
    """

    use_npu: bool = setting(False, "train on Huawei Ascend through npu_bridge", modes=_ON_DEVICES)
    device: str = setting(
        "auto",
        "auto takes a GPU where TensorFlow sees one",
        choices=("auto", "cpu", "gpu"),
        modes=_ON_DEVICES,
    )
    replicas: int = setting(
        1, "GPUs that train together, a batch each in every step", least=1, modes=TRAINING
    )
    mixed_precision: Optional[bool] = setting(
        None,
        "TensorFlow 2: convolutions in bfloat16 on CPUs that have it, training on GPUs in float16",
        kind=bool,
        modes=_ON_DEVICES,
        shown="off; predict: on where the CPU has it",
    )

    def _rules(self) -> Iterator[Tuple[bool, str]]:
        yield (
            not (self.use_npu and self.device == "gpu"),
            "--use_npu and --device=gpu contradict each other; give one of them",
        )
        yield (
            not (self.use_npu and (self.replicas > 1 or self.mixed_precision)),
            "--replicas and --mixed_precision are for GPUs; with --use_npu several cards are "
            "started by scripts/run_npu_8p.sh, and precision is --precision_mode; see "
            "configs/npu.flags",
        )


@dataclasses.dataclass(frozen=True)
class RunOptions(Settings):
    """How a run is carried out; nothing here changes what the network learns.

    `model_dir` is the folder of checkpoints, events and evaluations, `seed` that of the initial
    weights.

    Raises:
      UserError: a value is out of range.
    """

    model_dir: str = setting("", flag=None)
    save_checkpoints_steps: int = setting(
        1000, "steps between checkpoints", least=1, modes=TRAINING
    )
    keep_checkpoint_max: int = setting(
        5, "newest checkpoints kept; 0 keeps all", least=0, modes=TRAINING
    )
    seed: int = setting(1, flag=None)
    threads: int = setting(
        0,
        "CPU threads; 0 for all; 1 makes runs equal to the bit",
        least=0,
        modes=TRAINING + EVALUATION[:1] + ("predict",),
    )
