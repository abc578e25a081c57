"""What is missing is named with the command that installs it."""

import re
import sys

import pytest

from bsrn_estimator.errors import UserError, install_command
from bsrn_estimator.export import onnx_model
from data_tools.options import Options
from data_tools.sources import find


def _export():
    onnx_model.require()


def _tfds():
    find(Options("tfds", output_dir="out").complete())


@pytest.mark.parametrize(
    "extra, package, use", [("export", "onnx", _export), ("tfds", "tensorflow_datasets", _tfds)]
)
def test_missing_packages(monkeypatch, root, extra, package, use):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(UserError, match=re.escape(install_command(extra))):
        use()


@pytest.mark.parametrize("extra", ["export", "pictures", "tfds"])
def test_the_extras_are_there(root, extra):
    assert install_command(extra) == "pip install 'bsrn-estimator[%s]'" % extra
    declared = (root / "pyproject.toml").read_text().split("[project.optional-dependencies]")[1]
    assert re.search("^%s = \\[" % extra, declared, re.MULTILINE)
    assert (root / "requirements" / ("tf1-%s.txt" % extra)).exists()
    assert (root / "requirements" / ("tf2-%s.txt" % extra)).exists()
