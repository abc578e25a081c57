"""A network of golden values, the engines that are there, and a cache of the tests' own."""

import importlib.util

import pytest

from bsrn_estimator.checkpoints.options import UseOptions
from tests.support.golden import Golden

OTHERS = ("onnxruntime", "openvino")


@pytest.fixture(scope="session")
def golden():
    return Golden("multi_scale")


@pytest.fixture(params=OTHERS)
def engine(request):
    """Each engine that this environment has."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip("needs the package " + request.param)
    return request.param


@pytest.fixture(scope="session")
def cache_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, cache_folder):
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache_folder))


@pytest.fixture
def options(golden):
    def make(**kwargs):
        given = {"recursions": 4, "recursion_frequency": 1}
        return UseOptions(**dict({"checkpoint": golden.checkpoint, "given": given}, **kwargs))

    return make
