"""What the tests of faults share: commands that start fast, and tiny data."""

import pytest

from tests.reliability.commands import NETWORK, Commands
from tests.support import tiny


@pytest.fixture(scope="package")
def commands(root, tmp_path_factory):
    """The commands of this project; see `Commands`."""
    started = Commands(root, tmp_path_factory.mktemp("commands"))
    yield started
    started.close()


@pytest.fixture(scope="package")
def train_dir(tmp_path_factory):
    """A folder of tiny training records."""
    sizes = [(61, 50), (37, 75), (48, 48), (40, 44), (52, 36)]
    return tiny.write_records(
        tmp_path_factory.mktemp("records") / "train", "training", sizes, scales=(2,)
    )


@pytest.fixture(scope="package")
def test_dir(tmp_path_factory):
    """A folder of tiny evaluation records."""
    folder = tmp_path_factory.mktemp("records") / "test"
    return tiny.write_records(folder, "evaluation", [(61, 73), (49, 50), (38, 40)], scales=(2,))


@pytest.fixture(scope="package")
def flags(train_dir, test_dir):
    """The flags of a small training run on these data."""
    return NETWORK + ["--mode=train", "--data_dir=" + train_dir, "--eval_data_dir=" + test_dir]
