"""The export and the server that the tests of this folder share."""

import importlib.util

import pytest

from tests.bsrn_estimator.serve import support


@pytest.fixture(scope="session")
def export(tmp_path_factory) -> str:
    folder = str(tmp_path_factory.mktemp("export") / "saved_model" / "7")
    support.write_export(folder)
    return folder


@pytest.fixture(scope="session")
def expected(export) -> support.Expected:
    return support.Expected(export)


@pytest.fixture(scope="session")
def server(export):
    """One with small bounds, many places, and tiles smaller than some of the pictures."""
    with support.running(
        "--model=" + export,
        "--max_body_mb=1",
        "--max_pixels=400000",
        "--max_queue=256",
        "--timeout=60",
        "--tile=64",
        "--overlap=12",
    ) as server:
        yield server


@pytest.fixture(scope="session")
def both():
    """One as it comes, with both networks of the project."""
    engine = "onnxruntime" if importlib.util.find_spec("onnxruntime") else "tensorflow"
    with support.running("--scales=2", "--engine=" + engine) as server:
        yield server
