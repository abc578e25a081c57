"""NVIDIA GPUs: one, or several that train as replicas of one network."""

from typing import Any, Dict, List

from bsrn_estimator.checkpoints.patient_saver import restoring_patiently
from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.platforms.early_slots import EarlySlots
from bsrn_estimator.platforms.options import RunOptions

# The variables of dynamic scaling in tf.mixed_precision, in its order.
LOSS_SCALE_STATE = ("current_loss_scale", "good_steps")
# It halves the scale at each: by then it is 1, and so it stays.
_MOST_SKIPPED_STEPS = 100


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
        self.may_skip_steps, self.max_skipped_steps = mixed_precision, _MOST_SKIPPED_STEPS
        self._scale: Any = None

    def devices(self) -> List[str]:
        """The devices that train together."""
        return ["/gpu:%d" % index for index in range(self.batches_per_step)]

    def session_config(self, options: RunOptions) -> "tf.ConfigProto":
        """As `Platform.session_config`, with memory taken as it is needed."""
        config = super().session_config(options)
        config.gpu_options.allow_growth = True
        return config

    def training_estimator(self, model_fn, options: RunOptions) -> "tf.estimator.Estimator":
        """The Estimator that trains, on all replicas; evaluations beside it stay in float32."""
        config = self.run_config(options)
        if self.batches_per_step > 1:
            mirrored = tf.distribute.MirroredStrategy(self.devices())
            config = config.replace(train_distribute=mirrored)
        if self._mixed_precision:
            # Of its sessions alone: as an option of the process it would reach evaluations.
            rewriting = config.session_config.graph_options.rewrite_options
            rewriting.auto_mixed_precision = rewriting.ON
            # Checkpoints of float32 have no loss scale.
            keep = options.keep_checkpoint_max
            model_fn = restoring_patiently(model_fn, keep, LOSS_SCALE_STATE)
        return tf.estimator.Estimator(model_fn, config=config)

    def wrap_optimizer(self, optimizer):
        """The optimizer, with the loss scaled where convolutions are in float16."""
        if not self._mixed_precision:
            return optimizer
        scaling = tf.mixed_precision.MixedPrecisionLossScaleOptimizer(optimizer, "dynamic")
        scale, _ = scaling.variables()
        # A product, as an identity may share the memory of the variable, which is overwritten.
        self._scale = scale * 1.0
        return EarlySlots(scaling, optimizer)

    def scalars(self) -> Dict[str, Any]:
        """The loss scale, where there is one."""
        return {} if self._scale is None else {"loss_scale": self._scale}
