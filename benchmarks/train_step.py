"""Measures a training step against the plain form, and against what the machine can multiply.

    python -m benchmarks.train_step                  the full network, x4, batch 8, patch 48
    python -m benchmarks.train_step --network=small  the network of configs/small.flags
    python -m benchmarks.train_step --network=srdrm --scale=8
                                                     SRDRM on whole pictures

Forms: "plain", the network as the paper draws it with feed_dict, as the reference implementation
trains; "ours", a step of one scale; "joint", a step of x2, x3 and x4; "mixed", "ours" with
convolutions in bfloat16, where TensorFlow and the processor can; "records", "ours" fed from
records, to be compared with "ours", which is fed constants. Each runs in a process of its own, so
peak memory is its own. The rate in GFLOP/s counts the convolutions, forward and twice backward.
SRDRM has one form, beside the published figures of it, and a matrix product for a baseline.
"""

import argparse

import numpy as np

from benchmarks import _plain_network, _report, _srdrm_step
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.compat import tf
from bsrn_estimator.config import Recipe
from bsrn_estimator.data import input_fn
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks import losses
from bsrn_estimator.networks.bsrn import Bsrn
from bsrn_estimator.platforms.cpu import CpuPlatform
from bsrn_estimator.training import model_fn, optimization

_SCALE = 4
NETWORKS = {
    "full": Config(Bsrn(scales=(_SCALE,))),
    "small": Config(
        Bsrn(
            scales=(_SCALE,),
            conv_features=32,
            state_features=32,
            recursions=8,
            recursion_frequency=4,
        ),
        Recipe(patch_size=32),
    ),
}
# Forward once, and backward once for the inputs and once for the weights.
_PASSES = 3


def _config(network: str, form: str) -> Config:
    config = NETWORKS[network]
    if form == "joint":
        return Config(
            config.network.replace(scales=(2, 3, 4)),
            config.recipe.replace(scale_schedule="joint"),
        )
    return config


def _flop(config: Config) -> float:
    """Floating-point operations of the convolutions of one step."""
    network, recipe = config
    pixels = recipe.batch_size * recipe.patch_size**2
    return sum(
        2 * _PASSES * network.multiply_adds(scale, (scale, scale)) * pixels
        for scale in network.scales
    )


def _plain_step(config: Config):
    """(train_op, feed) of the plain form, fed from the host in every step."""
    network, recipe = config
    lr = np.random.RandomState(0).randint(
        0, 256, [recipe.batch_size, recipe.patch_size, recipe.patch_size, 3]
    )
    hr = np.repeat(np.repeat(lr, _SCALE, 1), _SCALE, 2)
    fed_lr = tf.placeholder(tf.float32, [None, None, None, 3])
    fed_hr = tf.placeholder(tf.float32, [None, None, None, 3])
    pictures = _plain_network.outputs(fed_lr, _SCALE, network)
    loss, _ = losses.weighted_l1(pictures, fed_hr, network.output_weights)
    op, _ = optimization.train_op(loss, recipe, network.scope, tf.train.get_or_create_global_step())
    return op, {fed_lr: lr.astype(np.float32), fed_hr: hr.astype(np.float32)}


def _our_step(config: Config, records: str, platform: CpuPlatform):
    """(train_op, no feed, operations that start the data)."""
    read = (
        input_fn.training_input_fn(records, config.network.scales, config.recipe)
        if records
        else input_fn.synthetic_input_fn(config.network.scales, config.recipe)
    )
    iterator = tf.data.make_initializable_iterator(read())
    features, labels = iterator.get_next()
    spec = model_fn.spec(features, labels, config, platform)
    return spec.train_op, {}, iterator.initializer


def run_form(form: str, network: str, steps: int, records: str) -> None:
    """Measures one form in this process and prints the result line."""
    config = _config(network, form)
    with tf.Graph().as_default():
        tf.set_random_seed(1)
        start = tf.no_op()
        if form == "plain":
            op, feed = _plain_step(config)
        else:
            platform = CpuPlatform(mixed_precision=form == "mixed")
            op, feed, start = _our_step(config, records if form == "records" else "", platform)
        with tf.Session() as session:
            session.run([tf.global_variables_initializer(), start])
            session.run(op, feed)  # plans and allocates
            with _report.measured() as usage:
                for _ in range(steps):
                    session.run(op, feed)
    seconds = usage.cpu_seconds / steps
    _report.print_result(
        form,
        seconds,
        "CPU seconds per step",
        None,
        _report.peak_memory_mb(),
        wall_seconds=usage.seconds / steps,
        patches=config.recipe.batch_size * len(config.network.scales),
        gflop=_flop(config) / 1e9,
    )


def matrix_rate(size: int = 2048, repeats: int = 6) -> float:
    """GFLOP of float32 matrix products per CPU second, by this TensorFlow."""
    with tf.Graph().as_default(), tf.Session() as session:
        values = np.random.RandomState(0).rand(size, size).astype(np.float32)
        left, right = tf.Variable(values), tf.Variable(values)
        product = tf.matmul(left, right).op
        session.run(tf.global_variables_initializer())
        session.run(product)
        with _report.measured() as usage:
            for _ in range(repeats):
                session.run(product)
    return repeats * 2 * size**3 / usage.cpu_seconds / 1e9


def _can_mix() -> bool:
    try:
        CpuPlatform(mixed_precision=True)
    except UserError:
        return False
    return True


def compare(arguments) -> None:
    """Runs every form in turn, prints the table and the result line."""
    forms = ["plain", "ours", "joint"] + (["mixed"] if _can_mix() else [])
    forms += ["records"] if arguments.records else []
    found = {}
    for form in forms:
        options = ["--form=" + form, "--network=" + arguments.network]
        options += ["--steps=%d" % arguments.steps]
        options += ["--records=" + arguments.records] if arguments.records else []
        found[form] = _report.in_child("benchmarks.train_step", options)
    rate = matrix_rate()
    _report.print_machine(_report.machine())
    print("float32 matrix product: %.0f GFLOP per CPU second" % rate)
    rows = []
    for form, result in found.items():
        speed = result["gflop"] / result["value"]
        rows.append(
            (
                form,
                result["value"],
                result["wall_seconds"],
                result["value"] / result["patches"],
                speed,
                speed / rate,
                result["peak_memory_mb"],
            )
        )
    _report.print_table(
        ["form", "CPU s/step", "s/step", "CPU s/patch", "GFLOP/CPU s", "of product", "peak MB"],
        rows,
    )
    plain, ours = found["plain"], found["ours"]
    _report.print_result(
        "training step, %s network" % arguments.network,
        ours["value"],
        "CPU seconds per step",
        plain["value"],
        ours["peak_memory_mb"],
        baseline_peak_memory_mb=plain["peak_memory_mb"],
        of_matrix_product=ours["gflop"] / ours["value"] / rate,
        joint_per_patch=found["joint"]["value"]
        / found["joint"]["patches"]
        * ours["patches"]
        / ours["value"],
        mixed=found["mixed"]["value"] / ours["value"] if "mixed" in found else None,
        records=found["records"]["value"] / ours["value"] if arguments.records else None,
    )


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", choices=[*sorted(NETWORKS), "srdrm"], default="full")
    parser.add_argument("--scale", type=int, choices=(2, 4, 8), default=8, help="of SRDRM")
    parser.add_argument("--steps", type=int, default=3, help="measured steps of each form")
    parser.add_argument("--records", default="", help="training records for the form `records`")
    parser.add_argument("--form", choices=("plain", "ours", "joint", "mixed", "records"))
    arguments = parser.parse_args()
    if arguments.form:
        run_form(arguments.form, arguments.network, arguments.steps, arguments.records)
    elif arguments.network == "srdrm":
        _srdrm_step.compare(arguments.scale, arguments.steps, matrix_rate())
    else:
        compare(arguments)


if __name__ == "__main__":
    main()
