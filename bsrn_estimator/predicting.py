"""Mode predict: finds the network in the engine that is to compute it, and upscales with it.

TensorFlow is imported where it is that engine, or exports a checkpoint for another one.
"""

from bsrn_estimator import failures, flags
from bsrn_estimator.checkpoints.usable import UsableNetwork
from bsrn_estimator.engines import choice
from bsrn_estimator.flags import FLAGS
from bsrn_estimator.inference import predict
from bsrn_estimator.inference.options import PredictOptions
from bsrn_estimator.platforms.options import DeviceOptions, RunOptions


def run() -> int:
    """Upscales picture files as the flags say, on Ascend on the host; returns the exit status.

    Raises:
      UserError: something is wrong that the user can mend.
    """
    with failures.readable(FLAGS.model_dir):
        return predict.run(PredictOptions.from_flags(FLAGS, **flags.network_to_use()), _network)


def _network(options: PredictOptions) -> UsableNetwork:
    devices = DeviceOptions.from_flags(FLAGS)
    run_options = RunOptions.from_flags(FLAGS, model_dir=FLAGS.model_dir)
    if not (devices.use_npu and options.engine == choice.AUTO):
        wish = choice.Wish(
            options.engine,
            devices.mixed_precision,
            run_options.threads,
            devices.device,
            lambda: predict.pixels_of_one(options),
        )
        found = choice.find(options, wish)
        if found is not None:
            return found
    return predict.find_network(options, *_in_tensorflow(devices, run_options))


def _in_tensorflow(devices: DeviceOptions, run_options: RunOptions):
    """The options of a session, and the precision in it."""
    from bsrn_estimator.platforms.choice import choose
    from bsrn_estimator.platforms.cpu import CpuPlatform

    platform = CpuPlatform() if devices.use_npu else choose(FLAGS)
    precision = platform.precision_of_pictures(devices.mixed_precision)
    return platform.session_config(run_options), precision
