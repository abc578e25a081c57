"""The platform that a user asks for; the one place that knows all families of devices."""

from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.platforms.options import DeviceOptions


def choose(flags) -> Platform:
    """The platform that the flags of the command line ask for.

    Args:
      flags: the parsed flags, those of `DeviceOptions` and of `NpuOptions` among them.

    Raises:
      UserError: the devices asked for are not there.
    """
    devices = DeviceOptions.from_flags(flags)
    if devices.use_npu:
        from bsrn_estimator.platforms.npu.platform import NpuPlatform  # needed on Ascend alone

        return NpuPlatform.from_flags(flags)
    from bsrn_estimator.platforms.cpu import CpuPlatform
    from bsrn_estimator.platforms.gpu import GpuPlatform, available_gpus

    mixed = bool(devices.mixed_precision)
    if devices.device == "gpu" or (devices.device == "auto" and available_gpus()):
        return GpuPlatform(devices.replicas, mixed)
    if devices.replicas > 1:
        raise UserError(
            "--replicas is for GPUs, and TensorFlow sees none; leave it out, or check the driver "
            "and CUDA libraries"
        )
    return CpuPlatform(mixed)


def present() -> Platform:
    """The platform of what TensorFlow sees on this machine, for who has no flags of devices."""
    from bsrn_estimator.platforms.cpu import CpuPlatform
    from bsrn_estimator.platforms.gpu import GpuPlatform, available_gpus

    return GpuPlatform() if available_gpus() else CpuPlatform()
