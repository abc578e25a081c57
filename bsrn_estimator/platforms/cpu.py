"""The CPU: everything that `Platform` does, with the GPUs out of sight."""

import contextlib
from typing import ContextManager

from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.platforms.options import RunOptions

# What Linux calls the instructions for products of bfloat16.
_BFLOAT16_INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}


def processor_flags() -> set:
    """The instruction sets of this processor, as Linux names them; empty where it does not say."""
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("flags"):
                    return set(line.split(":", 1)[1].split())
    except OSError:
        pass
    return set()


class CpuPlatform(Platform):
    """Trains on the cores of this machine.

    Args:
      mixed_precision: convolutions in bfloat16 but for the last one (TensorFlow 2.21). Weights,
        sums over recursions and the loss stay in float32.

    Raises:
      UserError: this TensorFlow or this processor cannot mix precisions.
    """

    def __init__(self, mixed_precision: bool = False) -> None:
        if mixed_precision and not TF2:
            raise UserError("--mixed_precision needs TensorFlow 2.21; set up with RUNTIME=tf2")
        if mixed_precision and not processor_flags() & _BFLOAT16_INSTRUCTIONS:
            raise UserError(
                "--mixed_precision on a CPU needs one with bfloat16 instructions (AVX512-BF16 or "
                "AMX), and this one has none; leave it out, or train on a GPU"
            )
        self._mixed_precision = mixed_precision

    def session_config(self, options: RunOptions) -> "tf.ConfigProto":
        config = super().session_config(options)
        config.device_count["GPU"] = 0
        return config

    def network_scope(self) -> ContextManager:
        """A context that hands out the weights of all convolutions but the last in bfloat16."""
        if not self._mixed_precision:
            return contextlib.nullcontext()
        return tf.variable_scope(tf.get_variable_scope(), custom_getter=_in_bfloat16)


def _in_bfloat16(getter, name: str, *args, **kwargs):
    variable = getter(name, *args, **kwargs)
    # Eight significant bits hold each LR value less 127.5, but not the grey levels of a result.
    return variable if "/last_conv/" in name else tf.cast(variable, tf.bfloat16)
