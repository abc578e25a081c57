"""The CPU: everything that `Platform` does, with the GPUs out of sight."""

from bsrn_estimator.compat import tf
from bsrn_estimator.platforms.base import Platform, RunOptions


class CpuPlatform(Platform):
    """Trains on the cores of this machine."""

    def session_config(self, options: RunOptions) -> "tf.ConfigProto":
        config = super().session_config(options)
        config.device_count["GPU"] = 0
        return config
