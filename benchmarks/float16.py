"""What float16 leaves of a step of the paper's network, simulated on a CPU.

    python -m benchmarks.float16 --seed=2 --steps=20

As on Ascend under mixed precision, what goes into a convolution and comes out of it is rounded to
float16 and held at 65504, and so are the gradients of both; sums are float32. Compared is the
gradient of every weight with that of float32, at the first weights or after some steps: with
features in grey levels and in the unit of `platforms/npu/units.py`, for several loss scales.
The gradient at a pixel is that of a batch of 8 patches of 48x48, whatever is computed here.
"""

import argparse
import contextlib
import unittest.mock
from typing import Any, Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np

from benchmarks import _report
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.compat import tf
from bsrn_estimator.networks import bsrn_layers
from bsrn_estimator.pictures import imresize
from bsrn_estimator.platforms.npu import units

_LARGEST = 65504.0
_SCALES = (1.0, 2.0**10, 2.0**16, 2.0**20, 2.0**24)
# Of the recipe that is meant, and of what is computed.
_PIXELS, _SCHEDULES = 8 * 48**2, 3


class Simulated:
    """Convolutions in float16.

    Attributes:
      forward: largest magnitude of each result.
      backward: largest magnitude of each gradient that goes through float16.
    """

    def __init__(self) -> None:
        self.forward: List[Any] = []
        self.backward: List[Any] = []

    def __call__(self, inputs, kernel, strides, padding):
        plain = {"strides": strides, "padding": padding}

        @tf.custom_gradient
        def convolve(inputs, kernel):
            near, weights = _rounded(inputs), _rounded(kernel)
            result = _conv2d(near, weights, **plain)
            self.forward.append(_largest(result))

            def gradient(by_result):
                rounded = _rounded(by_result)
                by_input = tf.nn.conv2d_backprop_input(tf.shape(near), weights, rounded, **plain)
                by_kernel = tf.nn.conv2d_backprop_filter(near, tf.shape(kernel), rounded, **plain)
                self.backward.extend([_largest(by_result), _largest(by_input)])
                return _rounded(by_input), by_kernel

            return _rounded(result), gradient

        return convolve(inputs, kernel)


_conv2d = tf.nn.conv2d


def _rounded(values):
    held = tf.clip_by_value(values, -_LARGEST, _LARGEST)
    return tf.cast(tf.cast(held, tf.float16), tf.float32)


def _largest(values):
    return tf.reduce_max(tf.abs(values))


class Step(NamedTuple):
    """The graph of a loss: what a session runs, and the loss scale that it takes."""

    loss: Any
    scale: Any
    gradients: Sequence[Any]


@contextlib.contextmanager
def _step(config: Config, seed: int, patch: int, unit: float, conv2d) -> Iterator[Step]:
    factor = config.network.scales[0]
    hr = np.random.RandomState(0).randint(0, 256, (2, patch, patch, 3))
    hr = np.kron(hr, np.ones([1, factor, factor, 1])).astype(np.uint8)
    lr = np.stack([imresize.shrink(picture, factor) for picture in hr])
    with tf.Graph().as_default():
        tf.set_random_seed(seed)
        getter = units.scaled(unit, config.network.is_in_unit)
        scope = tf.variable_scope(tf.get_variable_scope(), custom_getter=getter)
        with unittest.mock.patch.object(bsrn_layers.tf.nn, "conv2d", conv2d), scope:
            loss, _ = config.network.loss(
                {"lr": tf.constant(lr)}, {"hr_x%d" % factor: tf.constant(hr)}, "joint", unit=unit
            )
        scale = tf.placeholder(tf.float32, [])
        as_meant = lr.shape[0] * patch**2 / _PIXELS / _SCHEDULES
        yield Step(loss, scale, tf.gradients(loss * (as_meant * scale), tf.trainable_variables()))


def exact(config: Config, seed: int, patch: int, steps: int) -> Tuple[Dict[str, Any], List[Any]]:
    """Weights after some steps by their names, and their gradients in float32."""
    with _step(config, seed, patch, 1.0, _conv2d) as step:
        train = tf.train.AdamOptimizer(config.recipe.learning_rate).minimize(step.loss)
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            for _ in range(steps):
                session.run(train)
            variables = tf.trainable_variables()
            weights = {v.name: value for v, value in zip(variables, session.run(variables))}
            return weights, session.run(step.gradients, {step.scale: 1.0})


def rows(config: Config, patch: int, unit: float, weights: Dict[str, Any], true: Sequence[Any]):
    """One row a loss scale: unit, scale, largest values, overflows, and what is left."""
    simulated = Simulated()
    with _step(config, 1, patch, unit, simulated) as step, tf.Session() as session:
        session.run(tf.global_variables_initializer())
        for variable in tf.trainable_variables():
            variable.load(weights[variable.name], session)
        for scale in _SCALES:
            got, forward, backward = session.run(
                [step.gradients, simulated.forward, simulated.backward], {step.scale: scale}
            )
            cosines = [_cosine(a, b) for a, b in zip(got, true)]
            yield (
                "2^%d" % np.log2(unit),
                "2^%d" % np.log2(scale),
                max(forward),
                "%d of %d" % (sum(m > _LARGEST for m in forward), len(forward)),
                max(backward),
                "%d of %d" % (sum(m > _LARGEST for m in backward), len(backward)),
                "%.4f" % min(cosines),
                "%.4f" % np.median(cosines),
            )


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    one, other = (values.ravel().astype(np.float64) for values in (one, other))
    norms = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / norms) if norms else 0.0


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recursions", type=int, default=16, help="of the network")
    parser.add_argument("--patch", type=int, default=24, help="side of an LR patch in pixels")
    parser.add_argument("--seed", type=int, default=1, help="of the first weights")
    parser.add_argument("--steps", type=int, default=0, help="float32 steps before the comparison")
    given = parser.parse_args()
    config = Config.from_dict({"scales": (4,), "recursions": given.recursions})
    weights, true = exact(config, given.seed, given.patch, given.steps)
    table = [
        row for unit in (1.0, units.UNIT) for row in rows(config, given.patch, unit, weights, true)
    ]
    columns = "unit|loss scale|largest|overflow|largest gradient|overflow|worst cosine|median"
    _report.print_table(columns.split("|"), table)
    _report.print_machine(_report.machine())
    _report.print_result(
        "worst cosine of a gradient in float16 with unit and loss scale 2^16",
        float(table[-3][-2]),
        "cosine",
        float(table[0][-2]),
        _report.peak_memory_mb(),
    )


if __name__ == "__main__":
    main()
