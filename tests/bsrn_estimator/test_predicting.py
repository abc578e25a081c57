"""Predict by the command line in another engine than TensorFlow, which is then not imported."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.support import tiny

# A process in which TensorFlow cannot be imported, and neither can what imports it.
WITHOUT_TENSORFLOW = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tensorflow" or name == "bsrn_estimator.compat":
            raise AssertionError("imported " + name)

sys.meta_path.insert(0, Refuse())
from bsrn_estimator.main import main
sys.exit(main(sys.argv))
"""


def predict(root, tmp_path, start, *flags):
    environment = dict(os.environ, XDG_CACHE_HOME=str(tmp_path / "cache"), PYTHONPATH=str(root))
    command = [sys.executable] + start + ["--mode=predict", "--input=in", "--threads=1"]
    return subprocess.run(
        command + list(flags), cwd=str(tmp_path), env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_without_tensorflow(engine, root, tmp_path):
    pytest.importorskip(engine)
    (tmp_path / "in").mkdir()
    pixels = np.dstack([tiny.picture(1, 33, 47), np.full((33, 47), 200, np.uint8)])
    Image.fromarray(pixels).save(str(tmp_path / "in" / "a.png"))
    Image.fromarray(pixels[..., 0]).save(str(tmp_path / "in" / "b.png"), icc_profile=b"profile")
    flags = ["--scales=2", "--tile=40", "--nomixed_precision", "--engine=" + engine]
    start = ["-c", WITHOUT_TENSORFLOW]
    done = predict(root, tmp_path, start, *flags)
    assert done.returncode == 0, done.stderr
    assert "run by %s, computed in float32\n" % engine in done.stdout
    again = predict(root, tmp_path, start, *flags)
    assert "0 results written, 2 were finished before" in again.stdout
    made = ["-m", "bsrn_estimator.main"]
    other = predict(root, tmp_path, made, *flags[:3], "--engine=tensorflow", "--output_dir=other")
    assert "run by tensorflow, computed in float32\n" in other.stdout, other.stderr
    for name, mode in (("a.png", "RGBA"), ("b.png", "L")):
        ours, theirs = (Image.open(str(tmp_path / f / "x2" / name)) for f in ("upscaled", "other"))
        assert ours.mode == theirs.mode == mode
        assert ours.info.get("icc_profile") == theirs.info.get("icc_profile")
        difference = np.asarray(ours).astype(int) - np.asarray(theirs)
        assert np.abs(difference).max() <= 1
    # Another engine is another result.
    replaced = predict(root, tmp_path, made, *flags[:3], "--engine=tensorflow")
    assert "2 results written, 2 in place of earlier ones" in replaced.stdout


def test_an_engine_that_is_not_there(root, tmp_path):
    (tmp_path / "in").mkdir()
    Image.fromarray(tiny.picture(1, 9, 9)).save(str(tmp_path / "in" / "a.png"))
    hidden = "import sys\nsys.modules['openvino'] = None" + WITHOUT_TENSORFLOW
    done = predict(root, tmp_path, ["-c", hidden], "--engine=openvino")
    assert done.returncode == 2
    assert done.stderr.startswith("error: --engine=openvino needs the package openvino; get it wi")
    assert not os.path.exists(str(tmp_path / "upscaled"))
