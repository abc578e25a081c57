"""ONNX models in onnxruntime."""

import json
import os
import sys

import numpy as np
import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.export import export
from tests.bsrn_estimator.export import support


def test_onnx(golden, options):
    ort = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    lr = golden.forward["lr"]
    assert export.run(options(export_format="onnx", scales=(3, 8))) == 0
    assert export.run(options(export_format="onnx", scales=(4,), export_size=lr.shape[:2])) == 0
    fixed = "bsrn_x4_%dx%d.onnx" % lr.shape[:2]
    for name, scale in [("bsrn_x3.onnx", 3), ("bsrn_x8.onnx", 8), (fixed, 4)]:
        path = os.path.join(options().export_dir, name)
        session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
        (result,) = session.run(["hr"], {"lr": lr[np.newaxis].astype(np.float32)})
        assert np.abs(result[0] - support.expected(golden, scale)).max() < 1e-2
        about = json.loads(session.get_modelmeta().custom_metadata_map["bsrn_estimator"])
        assert about["scales"] == [scale] and about["pictures"]["layout"] == "NHWC"
        shape = session.get_inputs()[0].shape
        if scale == 4:
            assert shape == [1, lr.shape[0], lr.shape[1], 3]
        else:
            assert shape == ["batch", "height", "width", 3]
            batch = np.zeros((2, 5, 7, 3), np.float32)
            assert session.run(["hr"], {"lr": batch})[0].shape == (2, 5 * scale, 7 * scale, 3)


def test_missing_packages_for_onnx_are_said(options, monkeypatch):
    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(UserError, match="needs the packages onnx and tf2onnx"):
        export.run(options(export_format="onnx"))
