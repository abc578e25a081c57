"""Measures what the curves of health cost, against training without them.

    python -m benchmarks.health                  the network of configs/small.flags, at x4
    python -m benchmarks.health --network=full   the full network

A look, every `--summary_steps` steps, fetches the norms of the gradients with a step, the weights
before and after it, and the live units on the probe. The result is the cost of training with a look
every 100 steps, the default, against that without one.
"""

import argparse

from benchmarks import _report
from benchmarks.train_step import NETWORKS
from bsrn_estimator.compat import tf
from bsrn_estimator.data import input_fn
from bsrn_estimator.training import health_tensors, model_fn

_EVERY = 100


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", choices=sorted(NETWORKS), default="small")
    parser.add_argument("--steps", type=int, default=5, help="measured steps of each kind")
    arguments = parser.parse_args()
    config = NETWORKS[arguments.network]
    with tf.Graph().as_default():
        iterator = tf.data.make_initializable_iterator(
            input_fn.synthetic_input_fn(config.network.scales, config.recipe)()
        )
        features, labels = iterator.get_next()
        spec = model_fn.spec(features, labels, config)
        weights, gradients = health_tensors.weights(), health_tensors.gradient_norms()
        units = {name: layer[:2] for name, layer in health_tensors.units().items()}
        with tf.Session() as session:
            session.run([tf.global_variables_initializer(), iterator.initializer])

            def step() -> None:
                session.run(spec.train_op)

            def look() -> None:
                session.run(weights)
                session.run([spec.train_op, gradients])
                session.run([weights, units])

            seconds = []
            for kind in (step, look):
                kind()  # plans and allocates
                with _report.measured() as usage:
                    for _ in range(arguments.steps):
                        kind()
                seconds.append(usage.cpu_seconds / arguments.steps)
    plain, looked = seconds
    _report.print_machine(_report.machine())
    _report.print_table(
        ["", "CPU seconds"], [("a step", plain), ("a step that is looked at", looked)]
    )
    _report.print_result(
        "health, %s network" % arguments.network,
        ((_EVERY - 1) * plain + looked) / _EVERY,
        "CPU seconds per step",
        plain,
        _report.peak_memory_mb(),
        of_a_look=looked / plain,
    )


if __name__ == "__main__":
    main()
