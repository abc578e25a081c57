"""npu_bridge as it is installed where there is an NPU, here by its test double."""

import json
import os
import sys

import pytest

from tests import npu_double

_PACKAGES = ("npu_bridge", "hccl")
_VARIABLES = (
    "JOB_ID RANK_SIZE RANK_ID RANK_TABLE_FILE DEVICE_ID ASCEND_DEVICE_ID POD_NAME TF_CONFIG "
    "RESTORE_FROM LOCAL_CHECKPOINT_DIR CM_WORKER_SIZE TUNE_BANK_PATH RANK_TABLE_FILE_V_1_0 "
    "NPU_DOUBLE_RECORD NPU_DOUBLE_EXCHANGE NPU_DOUBLE_OVERFLOW_EVERY NPU_DOUBLE_INF_NAN "
    "NPU_DOUBLE_DIE"
).split()


@pytest.fixture(scope="session")
def doubles(tmp_path_factory):
    """{name of a build: folder that holds its double}."""
    return {
        name: npu_double.build(name, str(tmp_path_factory.mktemp("double")))
        for name in npu_double.BUILDS
    }


def forget_npu_bridge():
    """Makes the next import of npu_bridge a new one, as in a new process."""
    for name in [name for name in sys.modules if name.split(".")[0] in _PACKAGES]:
        del sys.modules[name]


@pytest.fixture
def clean_environment(monkeypatch):
    """No variable that an NPU process reads is set; all are set back afterwards."""
    before = dict(os.environ)
    for name in _VARIABLES:
        os.environ.pop(name, None)
    yield
    for name in _VARIABLES:
        os.environ.pop(name, None)
    os.environ.update({name: before[name] for name in _VARIABLES if name in before})


@pytest.fixture
def install(doubles, clean_environment, monkeypatch, tmp_path):
    """Puts the double of a build on the path; returns a function that reads what it recorded."""

    def put(build_name):
        forget_npu_bridge()
        monkeypatch.syspath_prepend(doubles[build_name])
        record = str(tmp_path / "record")
        os.environ["NPU_DOUBLE_RECORD"] = record

        def recorded():
            with open(record) as file:
                return [json.loads(line) for line in file]

        return recorded

    yield put
    forget_npu_bridge()
