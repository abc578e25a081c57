"""What `import bsrn_estimator` costs, and the names that it offers."""

import inspect
import json
import pathlib
import pkgutil
import re
import subprocess
import sys

import pytest

import bsrn_estimator

IMPORT = """
import json, sys, time
before = set(sys.modules)
began = time.process_time()
import bsrn_estimator
seconds = time.process_time() - began
print(json.dumps([seconds, sorted(set(sys.modules) - before)]))
"""


def test_importing_it_takes_no_time_and_nothing_with_it(root):
    def imported():
        done = subprocess.run(
            [sys.executable, "-c", IMPORT], cwd=str(root), stdout=subprocess.PIPE, check=True
        )
        return json.loads(done.stdout.decode())

    seconds, names = min(imported() for _ in range(3))
    assert seconds < 0.1
    assert [name for name in names if name.startswith("bsrn_estimator")] == ["bsrn_estimator"]
    others = {name.partition(".")[0] for name in names}
    assert not others & {"tensorflow", "numpy", "PIL", "cv2", "absl", "onnxruntime", "openvino"}


@pytest.mark.parametrize("name", sorted(bsrn_estimator._HOMES))
def test_a_name_is_found_where_it_lives(name):
    assert name in dir(bsrn_estimator)
    value = getattr(bsrn_estimator, name)
    assert value.__module__ == bsrn_estimator._HOMES[name]
    assert getattr(bsrn_estimator, name) is value


def test_no_name_is_that_of_a_module_which_would_take_its_place():
    modules = {module.name for module in pkgutil.iter_modules(bsrn_estimator.__path__)}
    assert "model_fn" in modules
    assert not modules & set(bsrn_estimator._HOMES)


def test_type_checkers_see_the_same_names():
    stub = pathlib.Path(bsrn_estimator.__file__).with_suffix(".pyi").read_text()
    found = re.findall(r"^from (\S+) import (\w+) as (\w+)$", stub, re.MULTILINE)
    assert all(name == other for _, name, other in found)
    assert {name: home for home, name, _ in found} == bsrn_estimator._HOMES
    assert bsrn_estimator.__all__ == ["__version__"] + sorted(bsrn_estimator._HOMES)


@pytest.mark.parametrize("name", sorted(bsrn_estimator._HOMES))
def test_a_name_is_documented(root, name):
    """Its parameters too; `make docs` makes the page of it, and is stricter."""
    value, home = getattr(bsrn_estimator, name), bsrn_estimator._HOMES[name]
    described = inspect.getdoc(value) or ""
    assert described and not described.startswith(name + "(")  # as dataclasses say by themselves
    page = (root / "docs" / "api.md").read_text(encoding="utf-8")
    assert page.count("\n::: %s.%s\n" % (home, name)) == 1
    if inspect.isfunction(value):
        for parameter in inspect.signature(value).parameters:
            assert re.search(r"^ +%s: " % parameter, described, re.MULTILINE), parameter


def test_other_names_are_refused():
    with pytest.raises(AttributeError, match="'bsrn_estimator' has no attribute 'Upscalr'"):
        bsrn_estimator.Upscalr  # noqa: B018
    assert not hasattr(bsrn_estimator, "upscaler")
