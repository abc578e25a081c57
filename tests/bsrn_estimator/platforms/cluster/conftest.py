"""Processes that train together, and tiny data for them."""

import pytest

from tests.support import several, tiny


@pytest.fixture(scope="package")
def processes(root, tmp_path_factory):
    """Three processes; see `Several`."""
    started = several.Several(root, tmp_path_factory.mktemp("processes"), 3)
    yield started
    started.close()


@pytest.fixture(scope="package")
def flags(tmp_path_factory):
    """The flags of a small training run."""
    sizes = [(61, 50), (37, 75), (48, 48), (40, 44), (52, 36), (44, 66)]
    folder = tmp_path_factory.mktemp("records")
    data = tiny.write_records(folder / "train", "training", sizes, scales=(2, 3))
    network = ["--scales=2,3", "--conv_features=5", "--state_features=3", "--recursions=2"]
    network += ["--recursion_frequency=1", "--patch_size=7", "--learning_rate=1e-3"]
    return network + [
        "--mode=train",
        "--data_dir=" + data,
        "--patches_per_tile=1",
        "--device=cpu",
        "--summary_steps=1",
        "--log_steps=1",
        "--keep_checkpoint_max=0",
        "--peer_timeout=60",
    ]


@pytest.fixture(scope="package")
def evaluated(tmp_path_factory):
    """The flag of tiny evaluation records."""
    folder = tmp_path_factory.mktemp("records") / "test"
    return "--eval_data_dir=" + tiny.write_records(
        folder, "evaluation", [(37, 43), (30, 29)], scales=(2, 3)
    )
