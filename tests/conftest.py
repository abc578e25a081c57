"""What every test may use: a quiet TensorFlow, steady examples, the folder of real pictures."""

import logging
import os
import pathlib

logging.getLogger("tensorflow").setLevel(logging.ERROR)
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import hypothesis  # noqa: E402
import pytest  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent

# The same examples in every run, none of them failed for being slow on a busy machine.
hypothesis.settings.register_profile(
    "steady", deadline=None, derandomize=True, database=None, max_examples=50
)
hypothesis.settings.load_profile("steady")


@pytest.fixture(scope="session")
def root() -> pathlib.Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def shared_dir() -> pathlib.Path:
    """The folder of real picture sets beside the repository; the test is skipped without it."""
    folder = ROOT.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip(f"no folder {folder} with data/ of real pictures on this machine")
    return folder


def pytest_addoption(parser) -> None:
    """`--kills`: how often tests/reliability/test_kill.py kills each command."""
    parser.addoption("--kills", type=int, default=2, help="kills of each command under test")
