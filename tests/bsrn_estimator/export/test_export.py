"""Mode export: what it writes, what it refuses, what stands in its place."""

import os

import numpy as np
import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.export import export
from bsrn_estimator.export.exported import ExportedNetwork
from bsrn_estimator.export.options import ExportOptions
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.networks.choice import OutputChoice
from tests.bsrn_estimator.export import support
from tests.support.golden import FORWARD_BOUND, Golden


def test_last_output_and_a_shorter_ensemble(golden, options, tmp_path):
    for kwargs, expected in [
        ({"output": "last"}, golden.forward["x2/recursion4"]),
        (
            {"first_output": 2},
            (golden.forward["x2/recursion3"] + 2 * golden.forward["x2/recursion4"]) / 3,
        ),
    ]:
        target = str(tmp_path / "_".join(kwargs))
        common = {"export_dir": target, "export_format": "frozen", "scales": (2,)}
        export.run(options(**dict(common, **kwargs)))
        network = ExportedNetwork(os.path.join(target, "bsrn_x2.pb"))
        with Upscaler(network, OutputChoice(**kwargs)) as upscaler:
            result = upscaler.upscale(golden.forward["lr"], 2)
        assert np.abs(result - np.clip(expected, 0, 255)).max() < FORWARD_BOUND


def test_a_network_of_one_scale(tmp_path):
    golden = Golden("single_scale_stateless")
    options = ExportOptions(
        export_dir=str(tmp_path),
        checkpoint=golden.checkpoint,
        given={"recursions": 4, "recursion_frequency": 2},
    )
    assert export.run(options) == 0
    with Upscaler(ExportedNetwork(str(tmp_path))) as upscaler:
        result = upscaler.upscale(golden.forward["lr"], 4)
    assert np.abs(result - support.expected(golden, 4)).max() < FORWARD_BOUND


def test_nothing_is_overwritten_unasked(golden, options, tmp_path):
    common, make = {"export_dir": str(tmp_path), "scales": (2,)}, options
    for kind, name in [("saved_model", "saved_model/1"), ("frozen", "bsrn_x2.pb")]:
        assert export.run(make(export_format=kind, **common)) == 0
        with pytest.raises(UserError, match="exists; add --overwrite"):
            export.run(make(export_format=kind, **common))
        assert export.run(make(export_format=kind, overwrite=True, **common)) == 0
        assert (tmp_path / name).exists()
    left = sorted(os.listdir(str(tmp_path)) + os.listdir(str(tmp_path / "saved_model")))
    assert left == ["1", "bsrn_x2.pb", "bsrn_x2.pb.json", "saved_model"]


def test_refusals(options):
    for kwargs, words in [
        ({"export_format": "tflite"}, "--export_format takes saved_model or frozen or onnx"),
        ({"output": "all"}, "--output takes ensemble or last"),
        ({"export_size": (5, 7)}, "--export_size fixes the shape"),
        ({"export_size": (0, 7), "export_format": "onnx"}, "--export_size takes HEIGHT,WIDTH"),
        ({"max_pixels": 0}, "--max_pixels must be at least 1"),
        ({"first_output": 4}, "--first_output must be from 0 to 3"),
        ({"scales": (2, 5)}, "--scales=5: .* has x2, x3, x4, x8"),
        ({"export_dir": os.devnull}, "--export_dir=/dev/null.* cannot be written"),
    ]:
        with pytest.raises(UserError, match=words):
            export.run(options(**kwargs))
