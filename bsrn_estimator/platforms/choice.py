"""The platform that a user asks for; the one place that knows all families of devices."""

from typing import Any

from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.platforms.cluster import tf_config
from bsrn_estimator.platforms.cluster.options import ClusterOptions
from bsrn_estimator.platforms.options import DeviceOptions


def choose(flags, trains: bool = False) -> Platform:
    """The platform that the flags of the command line, and TF_CONFIG, ask for.

    Args:
      flags: the parsed flags, those of `DeviceOptions`, `ClusterOptions` and `NpuOptions` among
        them.
      trains: whether it is to train, with the other processes that TF_CONFIG names.

    Raises:
      UserError: the devices asked for are not there, or TF_CONFIG is wrong.
      tf_config.EvaluatorTask: TF_CONFIG makes this process an evaluator.
    """
    devices = DeviceOptions.from_flags(flags)
    if devices.use_npu:
        from bsrn_estimator.platforms.npu.platform import NpuPlatform  # needed on Ascend alone

        return NpuPlatform.from_flags(flags)
    return of(devices, ClusterOptions.from_flags(flags), trains)


def of(devices: DeviceOptions, cluster_options: ClusterOptions, trains: bool = False) -> Platform:
    """The platform of GPUs or CPUs that settings, and TF_CONFIG, ask for; not that of Ascend.

    Raises:
      UserError: see `choose`.
      tf_config.EvaluatorTask: see `choose`.
    """
    from bsrn_estimator.platforms.cpu import CpuPlatform
    from bsrn_estimator.platforms.gpu import GpuPlatform, available_gpus

    mixed = bool(devices.mixed_precision)
    cluster = tf_config.take(trains=trains)
    if devices.device == "gpu" or (devices.device == "auto" and available_gpus()):
        if cluster:
            return _workers("GpuWorkers", cluster, cluster_options, devices.replicas, mixed)
        return GpuPlatform(devices.replicas, mixed)
    if devices.replicas > 1:
        raise UserError(
            "--replicas is for GPUs, and TensorFlow sees none; leave it out, or check the driver "
            "and CUDA libraries"
        )
    if cluster:
        return _workers("CpuWorkers", cluster, cluster_options, mixed)
    return CpuPlatform(mixed)


def _workers(
    kind: str, cluster: tf_config.Cluster, options: ClusterOptions, *devices: Any
) -> Platform:
    from bsrn_estimator.platforms.cluster import platform  # needed on several machines alone

    return getattr(platform, kind)(cluster, options, *devices)


def present() -> Platform:
    """The platform of what TensorFlow sees on this machine, for who has no flags of devices."""
    from bsrn_estimator.platforms.cpu import CpuPlatform
    from bsrn_estimator.platforms.gpu import GpuPlatform, available_gpus

    return GpuPlatform() if available_gpus() else CpuPlatform()
