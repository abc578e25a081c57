"""The platform that the flags ask for."""

import pytest
from absl import flags

from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms import choice, gpu
from bsrn_estimator.platforms.cpu import CpuPlatform
from bsrn_estimator.platforms.gpu import GpuPlatform
from bsrn_estimator.platforms.options import DeviceOptions, RunOptions


def chosen(*arguments):
    """The platform of a command line that has the flags of devices alone."""
    values = flags.FlagValues()
    list(DeviceOptions.define_flags(values, ("train",)))
    values(["command"] + list(arguments))
    return choice.choose(values)


@pytest.mark.parametrize(
    "seen, arguments, kind",
    [
        (0, [], CpuPlatform),
        (0, ["--device=cpu"], CpuPlatform),
        (1, [], GpuPlatform),
        (1, ["--device=gpu"], GpuPlatform),
        (3, ["--replicas=3"], GpuPlatform),
        (1, ["--device=cpu"], CpuPlatform),
    ],
)
def test_gpus_are_taken_where_there_are_some(monkeypatch, seen, arguments, kind):
    monkeypatch.setattr(gpu, "available_gpus", lambda: seen)
    assert type(chosen(*arguments)) is kind


def test_replicas_take_a_batch_each(monkeypatch):
    monkeypatch.setattr(gpu, "available_gpus", lambda: 3)
    platform = chosen("--replicas=3")
    assert platform.batches_per_step == 3 and platform.default_schedule == "joint"
    assert platform.devices() == ["/gpu:0", "/gpu:1", "/gpu:2"]
    assert chosen("--device=gpu").default_schedule == "random"


@pytest.mark.parametrize(
    "seen, arguments, sentence",
    [
        (0, ["--device=gpu"], "--replicas=1 needs as many GPUs, and TensorFlow sees 0"),
        (2, ["--replicas=3"], "--replicas=3 needs as many GPUs, and TensorFlow sees 2"),
        (0, ["--replicas=2"], "--replicas is for GPUs, and TensorFlow sees none"),
        (2, ["--replicas=2", "--device=cpu"], "--replicas is for GPUs"),
    ],
)
def test_devices_that_are_not_there_are_refused(monkeypatch, seen, arguments, sentence):
    monkeypatch.setattr(gpu, "available_gpus", lambda: seen)
    with pytest.raises(UserError, match=sentence):
        chosen(*arguments)


def test_the_cpu_platform_hides_the_gpus():
    config = chosen("--device=cpu").session_config(RunOptions(threads=3))
    assert config.device_count["GPU"] == 0
    assert config.intra_op_parallelism_threads == config.inter_op_parallelism_threads == 3
