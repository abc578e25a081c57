"""The step of SRDRM that published figures are of: whole pictures of 480 x 640, two at a time."""

from typing import Any, Dict

from benchmarks import _report
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.compat import tf
from bsrn_estimator.config import Recipe
from bsrn_estimator.networks.srdrm import Srdrm
from bsrn_estimator.platforms.choice import present
from bsrn_estimator.training import model_fn

HR_SIZE = (480, 640)
BATCH = 2
# Pictures a second in training at x8, batch 2: the log of the port in Ascend's ModelZoo, and the
# rounded figures of the document that this project began with.
PUBLISHED = {8: {"V100": "7.71 (8)", "Ascend 910": "11.6 (12)"}}
# Forward once, and backward once for the inputs and once for the weights.
_PASSES = 3


def measure(scale: int, steps: int, size=HR_SIZE) -> Dict[str, Any]:
    """CPU and wall seconds of a step on random pictures, and its GFLOP.

    Args:
      scale: 2, 4 or 8.
      steps: how many are measured, after one that is not.
      size: height and width of an HR picture.
    """
    network = Srdrm(scales=(scale,))
    config = Config(network, Recipe(batch_size=BATCH, **network.recipe))
    with tf.Graph().as_default():
        tf.set_random_seed(1)
        hr = tf.constant(128, tf.uint8, (BATCH,) + size + (3,))
        lr = tf.random.uniform((BATCH, size[0] // scale, size[1] // scale, 3), 0, 255)
        spec = model_fn.spec({"lr": lr}, {"hr": hr}, config, present())
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            session.run(spec.train_op)
            with _report.measured() as usage:
                for _ in range(steps):
                    session.run(spec.train_op)
    return {
        "cpu_seconds": usage.cpu_seconds / steps,
        "seconds": usage.seconds / steps,
        "gflop": 2 * _PASSES * BATCH * network.multiply_adds(scale, size) / 1e9,
    }


def compare(scale: int, steps: int, rate: float, size=HR_SIZE) -> None:
    """Prints the published table with a line of this machine, and the result line.

    Args:
      scale: 2, 4 or 8.
      steps: see `measure`.
      rate: GFLOP of a matrix product per CPU second, the baseline.
      size: see `measure`.
    """
    found = measure(scale, steps, size)
    _report.print_machine(_report.machine())
    print("float32 matrix product: %.0f GFLOP per CPU second" % rate)
    rows = [(name, fps, "published") for name, fps in PUBLISHED.get(scale, {}).items()]
    rows.append(("this machine", "%.3f" % (BATCH / found["seconds"]), "measured"))
    title = "SRDRM x%d, training, batch %d" % (scale, BATCH)
    _report.print_table([title, "pictures a second", ""], rows)
    _report.print_result(
        "training step, SRDRM x%d" % scale,
        found["cpu_seconds"],
        "CPU seconds per step",
        found["gflop"] / rate,
        _report.peak_memory_mb(),
        wall_seconds=found["seconds"],
        pictures_a_second=BATCH / found["seconds"],
        gflop=found["gflop"],
    )
