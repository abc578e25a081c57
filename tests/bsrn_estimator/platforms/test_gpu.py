"""The GPU platform where no GPU is, and replicas on the CPU in their place."""

import functools

import numpy as np
import pytest

from bsrn_estimator import json_lines, model_fn
from bsrn_estimator.checkpoints import contents, restoring
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.config import Recipe
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks.srdrm import Srdrm
from bsrn_estimator.platforms import gpu
from bsrn_estimator.platforms.base import Platform, RunOptions
from bsrn_estimator.training import train as training
from bsrn_estimator.training.options import TrainingOptions
from tests.support import tiny


class ReplicasOnCpu(gpu.GpuPlatform):
    """Two replicas that share one CPU."""

    def __init__(self, mixed_precision=False):
        super().__init__(2, mixed_precision)

    def devices(self):
        return ["/cpu:0", "/cpu:1"]

    def session_config(self, options):
        config = super().session_config(options)
        config.device_count["CPU"] = 2
        return config


@pytest.fixture
def gpus(monkeypatch):
    """As if there were two."""
    monkeypatch.setattr(gpu, "available_gpus", lambda: 2)


def _weights(model_dir):
    reader = tf.train.load_checkpoint(str(model_dir))
    description = contents.describe(tf.train.latest_checkpoint(str(model_dir)))
    names = [description.trained(name) for name in description.weights]
    return {name: reader.get_tensor(name) for name in description.weights + names}


class Trainer:
    """Trains small networks on the same data, on a platform each.

    Args:
      folder: for data and model folders.
      values: what is not the default of the recipe.
    """

    def __init__(self, folder, **values):
        sizes = [(61, 50), (37, 75)]
        self.data = tiny.write_records(folder / "data", "training", sizes, scales=(2, 3))
        self.folder = folder
        self.small = dict(
            scales=(2, 3),
            conv_features=5,
            state_features=3,
            recursions=1,
            patch_size=7,
            clip_norm=0.5,
            learning_rate=1e-3,
            # Else Adam's first steps are as long as the rate where a gradient is all but zero.
            adam_epsilon=1.0,
            **values,
        )

    def train(self, name, platform, batch_size, steps, start=lambda: None):
        """Trains to `steps` in the folder `name`; returns all its variables but Adam's."""
        config = tiny.config(batch_size=batch_size, **self.small)
        run = RunOptions(model_dir=str(self.folder / name))
        build = functools.partial(model_fn.build, platform=platform, first_weights=start)
        options = TrainingOptions(data_dir=self.data, train_steps=steps, summary_steps=1)
        assert training.train(config, platform, run, options, build) == 0
        return _weights(self.folder / name)

    def start(self, name):
        """First weights: those of the folder `name`."""
        newest = tf.train.latest_checkpoint(str(self.folder / name))
        return restoring.initial_weights(newest, tiny.config(**self.small).network)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("schedule", ["joint", "random"])
def test_two_replicas_take_the_step_of_one_with_both_batches(gpus, tmp_path, schedule):
    trainer = Trainer(tmp_path, scale_schedule=schedule)
    first = trainer.train("first", Platform(), 6, steps=1)
    start = trainer.start("first")
    one = trainer.train("one", Platform(), 6, steps=3, start=start)
    two = trainer.train("two", ReplicasOnCpu(), 3, steps=3, start=start)
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=0, atol=1e-6, err_msg=name)
    assert any(np.abs(one[name] - first[name]).max() > 1e-5 for name in one)


@pytest.mark.timeout(900)
def test_replicas_go_on_as_if_they_had_not_stopped(gpus, tmp_path):
    """The same data, and the averages of the weights where there are some."""
    trainer = Trainer(tmp_path, scale_schedule="random", ema_decay=0.5)
    whole = trainer.train("whole", ReplicasOnCpu(), 3, steps=3)
    trainer.train("parts", ReplicasOnCpu(), 3, steps=1)
    parts = trainer.train("parts", ReplicasOnCpu(), 3, steps=3)
    assert any("Average" in name for name in whole)
    for name in ("whole", "parts"):
        lines = json_lines.read(str(tmp_path / name / "log.jsonl"))
        assert [line["step"] for line in lines] == [1, 2, 3]
    for name in whole:
        np.testing.assert_allclose(parts[name], whole[name], rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.timeout(900)
def test_the_average_of_replicas_is_that_of_one_device(gpus, tmp_path):
    trainer = Trainer(tmp_path, scale_schedule="joint", ema_decay=0.5)
    trainer.train("first", Platform(), 6, steps=1)
    start = trainer.start("first")
    one = trainer.train("one", Platform(), 6, steps=2, start=start)
    two = trainer.train("two", ReplicasOnCpu(), 3, steps=2, start=start)
    averages = [name for name in one if name.endswith("Average")]
    assert averages
    for name in averages:
        np.testing.assert_allclose(two[name], one[name], rtol=0, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    "replicas, devices, schedule", [(1, ["/gpu:0"], "random"), (2, ["/gpu:0", "/gpu:1"], "joint")]
)
def test_devices_and_default_schedule(gpus, replicas, devices, schedule):
    platform = gpu.GpuPlatform(replicas)
    assert (platform.devices(), platform.default_schedule) == (devices, schedule)
    assert platform.batches_per_step == replicas


def test_absent_gpus_are_named():
    if gpu.available_gpus():
        pytest.skip("this machine has a GPU")
    with pytest.raises(UserError, match="--replicas=2 needs as many GPUs"):
        gpu.GpuPlatform(replicas=2)


@pytest.mark.skipif(TF2, reason="TensorFlow 2.21 can")
def test_mixed_precision_needs_the_second_runtime(gpus):
    with pytest.raises(UserError, match="TensorFlow 2.21"):
        gpu.GpuPlatform(mixed_precision=True)


@pytest.mark.timeout(900)
def test_replicas_have_batch_norms_of_their_own_and_the_first_are_saved(gpus, tmp_path):
    config = Config(
        Srdrm(), Recipe(batch_size=2, patch_size=5, ema_decay=0.5, scale_schedule="joint")
    )
    data = tiny.write_records(tmp_path / "data", "training", [(61, 50), (37, 75)], scales=(2,))
    found = {}

    def start():
        # The first weights of a graph depend on all that is in it.
        newest = tf.train.latest_checkpoint(str(tmp_path / "first"))
        return restoring.initial_weights(newest, config.network)() if newest else None

    for name, platform in (("first", Platform()), ("two", ReplicasOnCpu()), ("one", Platform())):
        run = RunOptions(model_dir=str(tmp_path / name))
        first_weights = (lambda: None) if name == "first" else start
        build = functools.partial(model_fn.build, platform=platform, first_weights=first_weights)
        options = TrainingOptions(data_dir=data, train_steps=1, summary_steps=1)
        assert training.train(config, platform, run, options, build) == 0
        found[name] = _weights(tmp_path / name)
    # One device alone takes the batch that the first of two takes, from the same first weights.
    name = "srdrm/block_1/residual_1/conv_1/batch_norm/moving_mean"
    assert np.abs(found["one"][name]).max() > 1e-3
    for of_norm in (name, name + "/ExponentialMovingAverage"):
        np.testing.assert_allclose(found["two"][of_norm], found["one"][of_norm], atol=1e-5)
    # And the gradient is of both.
    kernel = "srdrm/last_conv/kernel"
    assert np.abs(found["two"][kernel] - found["one"][kernel]).max() > 1e-6
