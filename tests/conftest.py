"""What every test may use: a quiet TensorFlow, steady examples, the folder of real pictures."""

import logging
import os
import pathlib
import re
import sys

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


class _OwnDeprecations(logging.Filter):
    """Raises where TensorFlow logs that a call of this project is deprecated; drops the rest.

    What nothing else does in graph mode is known: tf.estimator, freezing the graph of a session,
    loading a SavedModel into one, and giving a variable a value without an operation of its own.
    """

    known = re.compile(
        r"\(from tensorflow_estimator\.|convert_variables_to_constants |Variable\.load "
        r"|load \(from tensorflow\.python\.saved_model\.loader_impl\)"
    )

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        found = re.match(r"From (.+):\d+:", text)
        if found and "deprecated" in text and not self.known.search(text):
            path = os.path.relpath(found.group(1), str(ROOT))
            # tests/npu_double stands in for somebody else's code.
            if re.match(r"bsrn_estimator|data_tools|benchmarks|scripts|tests/(?!npu_double)", path):
                raise DeprecationWarning(text)
        return record.levelno >= logging.ERROR


_OWN_DEPRECATIONS = _OwnDeprecations()


@pytest.fixture(autouse=True)
def no_deprecated_calls():
    """Makes deprecated calls of TensorFlow 2, which it only logs, errors of the tests.

    What 1.15 calls deprecated has changed or gone in 2, and stays as it is in 1.15.
    """
    if sys.version_info < (3, 8):
        yield
        return
    logger = logging.getLogger("tensorflow")
    former = logger.level
    logger.setLevel(logging.WARNING)
    logger.addFilter(_OWN_DEPRECATIONS)
    yield
    logger.removeFilter(_OWN_DEPRECATIONS)
    logger.setLevel(former)


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
    """`--kills`: how often test_kill.py, and test_watch.py of the cluster, kill each command."""
    parser.addoption("--kills", type=int, default=2, help="kills of each command under test")
