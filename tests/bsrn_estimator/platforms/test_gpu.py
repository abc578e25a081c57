"""The GPU platform where no GPU is, and replicas on the CPU in their place."""

import functools

import numpy as np
import pytest

from bsrn_estimator import model_fn
from bsrn_estimator.checkpoints import contents, restoring
from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms import gpu
from bsrn_estimator.platforms.base import Platform, RunOptions
from bsrn_estimator.training import train as training
from bsrn_estimator.training.options import TrainingOptions
from tests.support import tiny


class ReplicasOnCpu(gpu.GpuPlatform):
    """Two replicas that share one CPU."""

    def __init__(self):
        self.batches_per_step = 2
        self._mixed_precision = False

    def devices(self):
        return ["/cpu:0", "/cpu:1"]

    def session_config(self, options):
        config = super().session_config(options)
        config.device_count["CPU"] = 2
        return config


def _weights(model_dir):
    reader = tf.train.load_checkpoint(str(model_dir))
    names = contents.describe(tf.train.latest_checkpoint(str(model_dir))).weights
    return {name: reader.get_tensor(name) for name in names}


def test_two_replicas_take_the_step_of_one_with_both_batches(tmp_path):
    data = tiny.write_records(tmp_path / "data", "training", [(61, 50), (37, 75)], scales=(2, 3))
    small = dict(
        scales=(2, 3),
        conv_features=5,
        state_features=3,
        recursions=2,
        patch_size=7,
        scale_schedule="joint",
        clip_norm=0,
        learning_rate=1e-3,
    )

    def train(name, platform, batch_size, steps, start=lambda: None):
        config = tiny.config(batch_size=batch_size, **small)
        run = RunOptions(model_dir=str(tmp_path / name))
        build = functools.partial(model_fn.build, platform=platform, first_weights=start)
        options = TrainingOptions(data_dir=data, train_steps=steps)
        assert training.train(config, platform, run, options, build) == 0
        return _weights(tmp_path / name)

    first = train("first", Platform(), 6, steps=1)
    start = restoring.initial_weights(
        tf.train.latest_checkpoint(str(tmp_path / "first")), tiny.config(**small).network
    )
    one = train("one", Platform(), 6, steps=3, start=start)
    two = train("two", ReplicasOnCpu(), 3, steps=3, start=start)
    for name in one:
        # Adam's first steps are as long as the rate where a gradient is all but zero.
        np.testing.assert_allclose(two[name], one[name], rtol=0, atol=1e-4, err_msg=name)
    assert any(np.abs(one[name] - first[name]).max() > 1e-3 for name in one)


def test_absent_gpus_are_named():
    if gpu.available_gpus():
        pytest.skip("this machine has a GPU")
    with pytest.raises(UserError, match="--replicas=2 needs as many GPUs"):
        gpu.GpuPlatform(replicas=2)


def test_mixed_precision_needs_the_second_runtime(monkeypatch):
    monkeypatch.setattr(gpu, "available_gpus", lambda: 1)
    if TF2:
        gpu.GpuPlatform(mixed_precision=True)
    else:
        with pytest.raises(UserError, match="TensorFlow 2.21"):
            gpu.GpuPlatform(mixed_precision=True)
