"""What tests of several files of this room read."""

import pytest

from bsrn_estimator.checkpoints import reference
from tests.support import golden


@pytest.fixture(scope="session")
def weights_only(tmp_path_factory):
    """A checkpoint with the golden weights of all scales, without Adam's state."""
    out = str(tmp_path_factory.mktemp("weights") / "model.ckpt")
    reference.write_reference(golden.Golden("multi_scale").checkpoint, out, weights_only=True)
    return out
