"""A network of golden values at x4, and what predict is told to do with it."""

import os

import pytest

from bsrn_estimator.inference.options import PredictOptions
from tests.support.golden import Golden


@pytest.fixture(scope="module")
def golden():
    return Golden("single_scale_stateless")


@pytest.fixture
def options(golden, tmp_path):
    """From further options to those that take the folder `in`, which is made, to `out`."""

    def make(**kwargs):
        values = {
            "input": str(tmp_path / "in"),
            "output_dir": str(tmp_path / "out"),
            "checkpoint": golden.checkpoint,
            "given": {name: getattr(golden.network, name) for name in golden.network.untold},
        }
        return PredictOptions(**dict(values, **kwargs))

    os.makedirs(str(tmp_path / "in"))
    return make
