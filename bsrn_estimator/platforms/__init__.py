"""What is particular to a family of devices; the only package that knows one."""

from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.base import Platform


def choose(flags) -> Platform:
    """The platform that the flags of the command line ask for.

    Args:
      flags: the parsed flags (`use_npu`, `device`, `replicas`, `mixed_precision`, and with
        `use_npu` those that platforms/npu.py defines).

    Raises:
      UserError: the devices asked for are not there.
    """
    if flags.use_npu:
        from bsrn_estimator.platforms.npu.platform import NpuPlatform

        return NpuPlatform.from_flags(flags)
    from bsrn_estimator.platforms.cpu import CpuPlatform
    from bsrn_estimator.platforms.gpu import GpuPlatform, available_gpus

    if flags.device == "gpu" or (flags.device == "auto" and available_gpus()):
        return GpuPlatform(flags.replicas, flags.mixed_precision)
    if flags.replicas > 1:
        raise UserError(
            "--replicas is for GPUs, and TensorFlow sees none; leave it out, or check the driver "
            "and CUDA libraries"
        )
    return CpuPlatform(flags.mixed_precision)
