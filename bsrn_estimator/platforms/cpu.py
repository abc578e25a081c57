"""The CPU: everything that `Platform` does, with the GPUs out of sight."""

from typing import ContextManager, Optional

from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.cores import BFLOAT16_INSTRUCTIONS, processor_flags
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks import precision
from bsrn_estimator.networks.base import Network
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.platforms.options import RunOptions


def has_bfloat16() -> bool:
    """Whether this TensorFlow and this processor compute products of bfloat16."""
    return TF2 and bool(processor_flags() & BFLOAT16_INSTRUCTIONS)


def require_bfloat16() -> None:
    """Raises UserError where `has_bfloat16` is false, and says what is missing."""
    if not TF2:
        raise UserError("--mixed_precision needs TensorFlow 2.21; set up with RUNTIME=tf2")
    if not has_bfloat16():
        raise UserError(
            "--mixed_precision on a CPU needs one with bfloat16 instructions (AVX512-BF16 or "
            "AMX), and this one has none; leave it out, or take a GPU"
        )


class CpuPlatform(Platform):
    """Trains on the cores of this machine.

    Args:
      mixed_precision: convolutions in bfloat16 but for the last one (TensorFlow 2.21). Weights,
        sums over recursions and the loss stay in float32.

    Raises:
      UserError: this TensorFlow or this processor cannot mix precisions.
    """

    def __init__(self, mixed_precision: bool = False) -> None:
        if mixed_precision:
            require_bfloat16()
        self._precision = precision.BFLOAT16 if mixed_precision else precision.FLOAT32

    def session_config(self, options: RunOptions) -> "tf.ConfigProto":
        """As `Platform.session_config`, without a GPU."""
        config = super().session_config(options)
        config.device_count["GPU"] = 0
        return config

    def network_scope(self, network: Network) -> ContextManager:
        """A context that hands out the weights of all convolutions but the last in bfloat16."""
        return precision.scope(self._precision)

    def precision_of_pictures(self, mixed: Optional[bool]) -> str:
        """bfloat16 where the processor has it, unless refused; see `Platform`."""
        if mixed:
            require_bfloat16()
        elif mixed is None:
            mixed = has_bfloat16()
        return precision.BFLOAT16 if mixed else precision.FLOAT32
