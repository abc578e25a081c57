"""Wishes for devices that contradict each other, and runs out of bounds."""

import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.options import DeviceOptions, RunOptions


@pytest.mark.parametrize(
    "values, sentence",
    [
        ({"device": "tpu"}, "--device takes auto or cpu or gpu, not tpu"),
        ({"replicas": 0}, "--replicas must be at least 1"),
        ({"use_npu": True, "device": "gpu"}, "--use_npu and --device=gpu contradict"),
        ({"use_npu": True, "replicas": 2}, "with --use_npu several cards are started by"),
        ({"use_npu": True, "mixed_precision": True}, "precision is --precision_mode"),
    ],
)
def test_devices_that_cannot_be_had_together(values, sentence):
    with pytest.raises(UserError, match=sentence):
        DeviceOptions(**values)


@pytest.mark.parametrize(
    "values, sentence",
    [
        ({"save_checkpoints_steps": 0}, "--save_checkpoints_steps must be at least 1"),
        ({"keep_checkpoint_max": -1}, "--keep_checkpoint_max must be at least 0"),
        ({"threads": -1}, "--threads must be at least 0"),
    ],
)
def test_a_run_out_of_bounds(values, sentence):
    with pytest.raises(UserError, match=sentence):
        RunOptions(**values)
