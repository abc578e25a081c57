"""The engines themselves: precision, and what bfloat16 costs."""

import re

import numpy as np
import pytest

from bsrn_estimator.checkpoints import PRETRAINED
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.engines import cache, runtimes
from bsrn_estimator.evaluation import metrics
from bsrn_estimator.networks.precision import BFLOAT16, FLOAT32
from bsrn_estimator.pictures.decoding import read_rgb
from bsrn_estimator.pictures.picture import to_uint8
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


needs_bfloat16 = pytest.mark.skipif(
    not runtimes.processor_flags() & runtimes.BFLOAT16_INSTRUCTIONS,
    reason="needs bfloat16 instructions",
)


@pytest.fixture
def openvino():
    return pytest.importorskip("openvino")


def _in_bfloat16(openvino, model):
    """A model, as a path or as text and weights, in OpenVINO's own bfloat16."""
    model = openvino.Core().read_model(*(model if isinstance(model, tuple) else (model,)))
    return openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "bf16"})


def _precisions_of_sums(compiled):
    """In which precision each sum over recursions and outputs leaves its operation."""
    found = {}
    for operation in compiled.get_runtime_model().get_ops():
        known = operation.get_rt_info()
        for name in known["originalLayersNames"].astype(str).split(","):
            if re.search(r"(^|/)add(_1)?$", name):
                found[name] = known["outputPrecisions"].astype(str)
    return found


@needs_bfloat16
def test_sums_leave_in_float32_beside_bfloat16(openvino):
    path = cache.shipped(checkpoint_files.named(PRETRAINED))[2]
    plain = _precisions_of_sums(_in_bfloat16(openvino, path))
    ours = runtimes._with_float32_parts(openvino.Core().read_model(path))
    kept = _precisions_of_sums(_in_bfloat16(openvino, ours))
    # What follows the last convolution is in float32 in either.
    assert plain.keys() == kept.keys() and plain.pop("add_1") == "f32"
    assert set(plain.values()) == {"bf16"}
    # Two of each of the six recursions, that of the two outputs, and that with the mean colour. The
    # outputs' sum is not carried on; what makes pixels of it would round it anyway.
    assert len(kept) == 14 and kept.pop("add") == "bf16"
    assert set(kept.values()) == {"f32"}


@needs_bfloat16
def test_bfloat16_costs_less_where_sums_and_the_last_convolution_are_not(openvino):
    path = cache.shipped(checkpoint_files.named(PRETRAINED))[2]
    lr = tiny.picture(1, 61, 64)[np.newaxis].astype(np.float32)
    exact = runtimes.load("openvino", path, FLOAT32, 1)(lr)
    ours = runtimes.load("openvino", path, BFLOAT16, 1)(lr)
    plain = _in_bfloat16(openvino, path)(lr)[0]
    errors = [np.sqrt(np.mean((one - exact) ** 2)) for one in (ours, plain)]
    assert 0 < errors[0] < 0.7 * errors[1]
    # A 16-bit result has more values than an 8-bit one, in its bright parts too.
    bright = ours[(ours > 130) & (ours < 250)]
    assert np.mean(bright != np.round(bright)) > 0.9


@needs_bfloat16
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_what_bfloat16_costs_on_set5(openvino, shared_dir, scale):
    path = cache.shipped(checkpoint_files.named(PRETRAINED))[scale]
    plain = _in_bfloat16(openvino, path)
    exact, ours, theirs = (
        _set5_psnr(run, shared_dir, scale)
        for run in (
            runtimes.load("openvino", path, FLOAT32),
            runtimes.load("openvino", path, BFLOAT16),
            lambda lr: plain(lr)[0],
        )
    )
    # Rounding may help as well, by as little.
    assert 0 < abs(exact - ours) < 0.01
    assert exact - ours < 0.7 * (exact - theirs)


def _set5_psnr(run, shared_dir, scale):
    values = []
    for path in sorted((shared_dir / "data/Set5/HR").glob("*.png")):
        lr = shared_dir / ("data/Set5/LR_bicubic/X%d/%sx%d.png" % (scale, path.stem, scale))
        result = to_uint8(run(read_rgb(str(lr))[np.newaxis].astype(np.float32))[0])
        hr = read_rgb(str(path))[: result.shape[0], : result.shape[1]]
        values.append(metrics.psnr(hr, result, shave=scale))
    return np.mean(values)
