"""Mode predict: finds the network in the engine that is to compute it, and upscales with it.

TensorFlow is imported where it is that engine, or exports a checkpoint for another one.
"""

from typing import Any

from bsrn_estimator import failures, flags
from bsrn_estimator.checkpoints.usable import UsableNetwork
from bsrn_estimator.engines import choice
from bsrn_estimator.flags import FLAGS
from bsrn_estimator.inference import finding, predict
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
    wish = choice.Wish(
        options.engine,
        devices.mixed_precision,
        run_options.threads,
        devices.device,
        lambda: predict.pixels_of_one(options),
    )
    other_engines = not (devices.use_npu and options.engine == choice.AUTO)
    return finding.find(options, wish, _platform, run_options, other_engines)


def _platform() -> Any:
    from bsrn_estimator.platforms.choice import choose
    from bsrn_estimator.platforms.cpu import CpuPlatform

    return CpuPlatform() if FLAGS.use_npu else choose(FLAGS)
