"""Training in float16 on GPUs, as far as CPUs run it: names, values, sessions, checkpoints.

The graph rewrite itself is TensorFlow's, for the GPU that it is told of; no GPU computes here.
"""

import os
import subprocess
import sys

import numpy as np
import pytest

from bsrn_estimator.checkpoints import __main__ as checkpoints
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.errors import RunFailed
from bsrn_estimator.platforms import gpu
from bsrn_estimator.platforms.base import Platform, RunOptions
from tests.bsrn_estimator.platforms.test_gpu import ReplicasOnCpu, Trainer, gpus  # noqa: F401

pytestmark = [
    pytest.mark.skipif(not TF2, reason="TensorFlow 1.15 is refused"),
    pytest.mark.usefixtures("gpus"),
    pytest.mark.timeout(900),
]


def _saved(folder):
    """All variables of the newest checkpoint."""
    reader = tf.train.load_checkpoint(str(folder))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def _mixed(replicas=1):
    return ReplicasOnCpu(True) if replicas == 2 else gpu.GpuPlatform(mixed_precision=True)


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_run_changes_its_precision_both_ways(tmp_path, capsys, replicas):
    trainer = Trainer(tmp_path, scale_schedule="joint")
    plain = ReplicasOnCpu() if replicas == 2 else Platform()
    names = []
    for steps, platform in ((1, plain), (2, _mixed(replicas)), (3, plain)):
        trainer.train("run", platform, 3, steps=steps)
        saved = _saved(tmp_path / "run")
        state = {"current_loss_scale": 2.0**15, "good_steps": 1} if steps == 2 else {}
        assert {name: saved.pop(name) for name in state} == state
        names.append(sorted(saved))
        assert checkpoints.main(["show", str(tmp_path / "run")]) == 0
        assert "optimizer       Adam\n" in capsys.readouterr().out
    assert names[0] == names[1] == names[2] and "beta1_power" in names[0]


def test_loss_scaling_alone_changes_no_number(tmp_path):
    """On a CPU nothing is rewritten; and to scale by a power of two is exact."""
    trainer = Trainer(tmp_path, scale_schedule="random")
    trainer.train("plain", Platform(), 3, steps=3)
    trainer.train("mixed", _mixed(), 3, steps=3)
    mixed = _saved(tmp_path / "mixed")
    for name, value in _saved(tmp_path / "plain").items():
        np.testing.assert_allclose(mixed[name], value, rtol=1e-5, atol=1e-7, err_msg=name)


def test_the_state_of_loss_scaling_goes_on(tmp_path):
    trainer = Trainer(tmp_path, scale_schedule="random")
    for steps in (2, 5):
        trainer.train("run", _mixed(), 3, steps=steps)
        assert _saved(tmp_path / "run")["good_steps"] == steps


class Overflowing(tf.mixed_precision.MixedPrecisionLossScaleOptimizer if TF2 else object):
    """Meets an overflow in every step."""

    def compute_gradients(self, *args, **kwargs):
        return [(np.inf * g, v) for g, v in super().compute_gradients(*args, **kwargs)]


def test_overflows_skip_steps_and_too_many_end_the_run(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tf.mixed_precision, "MixedPrecisionLossScaleOptimizer", Overflowing)
    trainer = Trainer(tmp_path, scale_schedule="random")
    with pytest.raises(RunFailed, match="after step 0, 100 steps in a row .* scale of 1,") as error:
        trainer.train("run", _mixed(), 3, steps=5)
    assert "lower --learning_rate" in str(error.value) and "overflow_dump" not in str(error.value)
    assert "the 10 steps after it overflowed and were skipped" in capsys.readouterr().out
    assert checkpoint_files.newest_step(str(tmp_path / "run")) == 0


def test_sessions_of_training_alone_are_rewritten(tmp_path):
    run = RunOptions(model_dir=str(tmp_path))
    rewritten = []
    for platform in (_mixed(), _mixed(2), gpu.GpuPlatform()):
        for make in (platform.training_estimator, platform.evaluation_estimator):
            options = make(lambda features, labels, mode: None, run).config.session_config
            rewriting = options.graph_options.rewrite_options
            rewritten.append(rewriting.auto_mixed_precision == rewriting.ON)
    assert rewritten == [True, False, True, False, False, False]
    assert "auto_mixed_precision" not in tf.config.optimizer.get_experimental_options()


# Optimizes the graph of a training step for a GPU of 2018, as a session on one would, and prints
# how many of its convolutions are in float16, and how many there are.
_REWRITE = """
import sys
from tensorflow.core.protobuf import device_properties_pb2
from tensorflow.python.grappler import cluster, tf_optimizer
from bsrn_estimator.compat import tf
from bsrn_estimator.data import input_fn
from bsrn_estimator.platforms import gpu
from bsrn_estimator.platforms.base import RunOptions
from bsrn_estimator.training import model_fn
from tests.support import tiny

gpu.available_gpus = lambda: 1
device = device_properties_pb2.NamedDevice(name="/job:localhost/replica:0/task:0/device:GPU:0")
device.properties.type, device.properties.num_cores = "GPU", 40
device.properties.memory_size, device.properties.bandwidth = 2**33, 600000
device.properties.environment["architecture"] = "7.5"
platform = gpu.GpuPlatform(mixed_precision=True)
run = RunOptions(model_dir=sys.argv[1])
read = input_fn.synthetic_input_fn(tiny.CONFIG.network.scales, tiny.CONFIG.recipe)
with tf.Graph().as_default() as graph, tf.device("/gpu:0"):
    features, labels = tf.data.make_one_shot_iterator(read()).get_next()
    spec = model_fn.spec(features, labels, tiny.CONFIG, platform)
    step = tf.train.export_meta_graph(graph=graph, graph_def=graph.as_graph_def())
    step.collection_def["train_op"].node_list.value[:] = [spec.train_op.name, spec.loss.op.name]
    for make in (platform.training_estimator, platform.evaluation_estimator):
        config = make(lambda features, labels, mode: None, run).config.session_config
        machine = cluster.Cluster(devices=[device])
        optimized = tf_optimizer.OptimizeGraph(config, step, cluster=machine)
        nodes = list(optimized.node) + [n for f in optimized.library.function for n in f.node_def]
        types = [node.attr["T"].type for node in nodes if node.op.startswith("Conv2D")]
        print(types.count(tf.float16.as_datatype_enum), len(types), flush=True)
"""


def test_the_graph_of_a_step_is_rewritten_for_a_gpu(root, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", _REWRITE, str(tmp_path)],
        # A TensorFlow without CUDA then rewrites for a GPU all the same.
        env=dict(
            os.environ,
            PYTHONPATH=str(root),
            TF_AUTO_MIXED_PRECISION_GRAPH_REWRITE_SIMULATE_GPU="true",
        ),
        cwd=str(root),
        capture_output=True,
        text=True,
    )
    counts = [[int(count) for count in line.split()] for line in done.stdout.splitlines()]
    assert len(counts) == 2, done.stderr[-3000:]
    (in_training, of_training), (beside_it, _) = counts
    assert in_training == of_training > 20 and beside_it == 0


def test_first_weights_of_float32_serve(tmp_path):
    trainer = Trainer(tmp_path, scale_schedule="random")
    trainer.train("first", Platform(), 3, steps=1)
    trainer.train("run", _mixed(), 3, steps=1, start=trainer.start("first"))
    assert _saved(tmp_path / "run")["good_steps"] == 1
