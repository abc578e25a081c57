"""NVIDIA GPUs: one, or several that train as replicas of one network."""

from typing import List

from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.platforms.options import RunOptions


def available_gpus() -> int:
    """The number of GPUs that this TensorFlow sees."""
    return len(tf.config.experimental.list_physical_devices("GPU"))


class GpuPlatform(Platform):
    """Trains on GPUs of this machine.

    Args:
      replicas: how many GPUs train together; each takes a batch of its own in every step, and
        the gradient is the mean over them.
      mixed_precision: convolutions in float16 with loss scaling (TensorFlow 2.21).

    Raises:
      UserError: fewer GPUs are there than asked for, or this TensorFlow cannot mix precisions.
    """

    def __init__(self, replicas: int = 1, mixed_precision: bool = False) -> None:
        gpus = available_gpus()
        if gpus < replicas:
            raise UserError(
                "--replicas=%d needs as many GPUs, and TensorFlow sees %d; give --device=cpu, or "
                "check the driver and CUDA libraries" % (replicas, gpus)
            )
        if mixed_precision and not TF2:
            raise UserError("--mixed_precision needs TensorFlow 2.21; set up with RUNTIME=tf2")
        self.batches_per_step = replicas
        self.default_schedule = "random" if replicas == 1 else "joint"
        self._mixed_precision = mixed_precision

    def devices(self) -> List[str]:
        """The devices that train together."""
        return ["/gpu:%d" % index for index in range(self.batches_per_step)]

    def session_config(self, options: RunOptions) -> "tf.ConfigProto":
        """As `Platform.session_config`, with memory taken as it is needed."""
        config = super().session_config(options)
        config.gpu_options.allow_growth = True
        return config

    def training_estimator(self, model_fn, options: RunOptions) -> "tf.estimator.Estimator":
        """The Estimator that trains, on all replicas."""
        config = self.run_config(options)
        if self.batches_per_step > 1:
            mirrored = tf.distribute.MirroredStrategy(self.devices())
            config = config.replace(train_distribute=mirrored)
        return tf.estimator.Estimator(model_fn, config=config)

    def wrap_optimizer(self, optimizer):
        """The optimizer, with the loss scaled where convolutions are in float16."""
        if self._mixed_precision:
            return tf.mixed_precision.enable_mixed_precision_graph_rewrite(optimizer)
        return optimizer
