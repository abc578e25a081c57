"""Measures what gradient accumulation costs and saves, against the batch in one piece.

    python -m benchmarks.accumulation                  the network of configs/small.flags, x4, 4 x 8
    python -m benchmarks.accumulation --network=full   the full network

Forms: "whole", a step of a batch of 32; "parts", the same with `--accumulate=4`; "one", a step of a
part alone, a batch of 8. Each runs in a process of its own, so peak memory is its own.
"""

import argparse
import time

from benchmarks import _report
from benchmarks.train_step import NETWORKS
from bsrn_estimator.compat import tf
from bsrn_estimator.data import input_fn
from bsrn_estimator.training import model_fn

_PART, _COUNT = 8, 4
# Batch and parts by form.
FORMS = {"whole": (_PART * _COUNT, 1), "parts": (_PART, _COUNT), "one": (_PART, 1)}


def run_form(form: str, network: str, steps: int) -> None:
    """Measures one form in this process and prints the result line."""
    config = NETWORKS[network]
    batch, count = FORMS[form]
    recipe = config.recipe.replace(batch_size=batch, accumulate=count)
    with tf.Graph().as_default():
        iterator = tf.data.make_initializable_iterator(
            input_fn.synthetic_input_fn(config.network.scales, recipe)()
        )
        features, labels = iterator.get_next()
        started = time.perf_counter()
        spec = model_fn.spec(features, labels, config._replace(recipe=recipe))
        built = time.perf_counter() - started
        with tf.Session() as session:
            session.run([tf.global_variables_initializer(), iterator.initializer])
            before = _report.peak_memory_mb()
            session.run(spec.train_op)  # plans and allocates
            with _report.measured() as usage:
                for _ in range(steps):
                    session.run(spec.train_op)
    _report.print_result(
        form,
        usage.cpu_seconds / steps / recipe.step_batch,
        "CPU seconds per patch",
        None,
        _report.peak_memory_mb(),
        # TensorFlow itself is in both; what is beyond is the step's.
        step_memory_mb=_report.peak_memory_mb() - before,
        build_seconds=built,
    )


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", choices=sorted(NETWORKS), default="small")
    parser.add_argument("--steps", type=int, default=3, help="measured steps of each form")
    parser.add_argument("--form", choices=sorted(FORMS))
    arguments = parser.parse_args()
    if arguments.form:
        return run_form(arguments.form, arguments.network, arguments.steps)
    found = {}
    for form in FORMS:
        options = ["--form=" + form, "--network=" + arguments.network]
        options += ["--steps=%d" % arguments.steps]
        found[form] = _report.in_child("benchmarks.accumulation", options)
    names = ("value", "step_memory_mb", "peak_memory_mb", "build_seconds")
    rows = [(form,) + tuple(result[name] for name in names) for form, result in found.items()]
    _report.print_machine(_report.machine())
    _report.print_table(["form", "CPU s/patch", "step's MB", "peak MB", "s to build"], rows)
    whole, parts = found["whole"], found["parts"]
    return _report.print_result(
        "accumulation, %s network" % arguments.network,
        parts["value"],
        "CPU seconds per patch",
        whole["value"],
        parts["peak_memory_mb"],
        baseline_peak_memory_mb=whole["peak_memory_mb"],
        memory_of_whole=parts["step_memory_mb"] / max(whole["step_memory_mb"], 1e-9),
    )


if __name__ == "__main__":
    main()
