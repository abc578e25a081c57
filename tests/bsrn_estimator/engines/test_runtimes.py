"""The engines themselves: precision, and what bfloat16 costs."""

import numpy as np
import pytest

from bsrn_estimator.checkpoints import PRETRAINED
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.engines import cache, runtimes
from bsrn_estimator.networks.precision import BFLOAT16, FLOAT32
from tests.support import tiny


def test_the_precision_of_an_engine(monkeypatch):
    monkeypatch.setattr(runtimes, "processor_flags", lambda: {"avx512_bf16"})
    assert runtimes.precision_of("openvino", None) == BFLOAT16
    assert runtimes.precision_of("openvino", False) == FLOAT32
    assert runtimes.precision_of("onnxruntime", None) == FLOAT32
    monkeypatch.setattr(runtimes, "processor_flags", set)
    assert runtimes.precision_of("openvino", None) == FLOAT32


def test_results_are_the_callers_own(engine):
    run = runtimes.load(engine, cache.shipped(checkpoint_files.named(PRETRAINED))[2], threads=1)
    lr = tiny.picture(1, 9, 11)[np.newaxis].astype(np.float32)
    first = run(lr)
    kept = first.copy()
    run(255 - lr)
    assert first.dtype == np.float32 and np.array_equal(first, kept)
    assert run(np.concatenate([lr, 255 - lr])).shape == (2, 18, 22, 3)


@pytest.mark.skipif(
    not runtimes.processor_flags() & runtimes.BFLOAT16_INSTRUCTIONS,
    reason="needs bfloat16 instructions",
)
def test_sums_stay_in_float32_beside_bfloat16():
    openvino = pytest.importorskip("openvino")
    path = cache.shipped(checkpoint_files.named(PRETRAINED))[2]
    lr = tiny.picture(1, 61, 64)[np.newaxis].astype(np.float32)
    exact = runtimes.load("openvino", path, FLOAT32, 1)(lr)
    ours = runtimes.load("openvino", path, BFLOAT16, 1)(lr)
    hint = {"INFERENCE_PRECISION_HINT": "bf16"}
    plain = openvino.Core().compile_model(path, "CPU", hint)(lr)[0]
    errors = [np.sqrt(np.mean((one - exact) ** 2)) for one in (ours, plain)]
    # How much it saves depends on the processor and the picture: a fifth of noise like this.
    assert 0 < errors[0] < 0.9 * errors[1]
