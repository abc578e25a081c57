"""Exit statuses of refusals, and names in their sentences."""

import os
import re
import sys

import pytest

from bsrn_estimator.errors import RunFailed, UserError, install_command, printable
from bsrn_estimator.export import onnx_model
from data_tools.options import ConversionOptions
from data_tools.sources import find_pictures


def test_a_mistake_and_a_failure_have_their_statuses():
    assert UserError("a").status == 2
    assert RunFailed("a").status == 1 and isinstance(RunFailed("a"), UserError)


@pytest.mark.parametrize(
    "name, expected",
    [
        ("a b-\u00e4\u8d85.png", "a b-\u00e4\u8d85.png"),
        ("a\nb\t", "a\\nb\\t"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        (os.fsdecode(b"caf\xe9"), "caf\\udce9"),
        ("", ""),
    ],
)
def test_any_file_name_stands_in_one_line(name, expected):
    assert printable(name) == expected
    printable(name).encode("utf-8")


def _export():
    onnx_model.require()


def _tfds():
    find_pictures(ConversionOptions("tfds", output_dir="out").complete())


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
