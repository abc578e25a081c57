"""The environment of an NPU process: what is completed, left aside, refused."""

import json

import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.npu import environment as npu_environment
from tests.bsrn_estimator.platforms.npu.test_rank_table import table


@pytest.fixture
def ranks_file(tmp_path):
    path = tmp_path / "ranks.json"
    path.write_text(json.dumps(table(ranks=2)))
    return str(path)


def test_one_card_needs_nothing_set():
    environ = {}
    assert npu_environment.prepare(environ) == npu_environment.Ranks(0, 1)
    assert environ == {"JOB_ID": "10087", "RANK_SIZE": "1", "RANK_ID": "0"}


def test_one_card_looks_for_no_others():
    environ = {"JOB_ID": "7", "RANK_TABLE_FILE": "/left/over.json", "POD_NAME": "pod-0"}
    npu_environment.prepare(environ)
    assert environ == {"JOB_ID": "7", "RANK_SIZE": "1", "RANK_ID": "0"}


def test_the_card_of_the_flag_is_that_of_the_queue_of_data():
    environ = {"DEVICE_ID": "1", "ASCEND_DEVICE_ID": "2"}
    npu_environment.prepare(environ, device_id=3)
    assert environ["DEVICE_ID"] == environ["ASCEND_DEVICE_ID"] == "3"
    environ = {"ASCEND_DEVICE_ID": "2"}
    npu_environment.prepare(environ)
    assert environ["ASCEND_DEVICE_ID"] == "2" and "DEVICE_ID" not in environ


def test_one_card_for_several_ranks_is_refused(ranks_file):
    environ = {"RANK_SIZE": "2", "RANK_ID": "1", "RANK_TABLE_FILE": ranks_file}
    with pytest.raises(UserError, match="--device_id=0 would give each of the 2 ranks the same"):
        npu_environment.prepare(environ, device_id=0)


def test_the_rank_table_of_modelarts(ranks_file):
    environ = {"RANK_SIZE": "2", "RANK_ID": "1", "RANK_TABLE_FILE_V_1_0": ranks_file}
    assert npu_environment.prepare(environ) == npu_environment.Ranks(1, 2)
    # npu_bridge reads this name alone.
    assert environ["RANK_TABLE_FILE"] == ranks_file


@pytest.mark.parametrize(
    "seconds, environ, warned",
    [
        (900, {}, False),
        (1000, {}, True),
        (1000, {"HCCL_EXEC_TIMEOUT": "17340"}, False),
        (50, {"HCCL_EXEC_TIMEOUT": "68"}, True),
    ],
)
def test_an_evaluation_that_the_other_ranks_may_not_wait_for(caplog, seconds, environ, warned):
    npu_environment.check_pause(seconds, environ)
    assert ("HCCL_EXEC_TIMEOUT" in caplog.text) == warned


def test_weights_from_elsewhere_are_left_aside(caplog):
    environ = {"RESTORE_FROM": "/old", "LOCAL_CHECKPOINT_DIR": "/older"}
    npu_environment.prepare(environ)
    assert "RESTORE_FROM" not in environ and "LOCAL_CHECKPOINT_DIR" not in environ
    assert "RESTORE_FROM" in caplog.text and "LOCAL_CHECKPOINT_DIR" in caplog.text


def test_a_rank_among_several(ranks_file):
    environ = {"RANK_SIZE": "2", "RANK_ID": "1", "RANK_TABLE_FILE": ranks_file, "POD_NAME": "1"}
    assert npu_environment.prepare(environ) == npu_environment.Ranks(1, 2)
    assert environ["DEVICE_ID"] == environ["ASCEND_DEVICE_ID"] == "1"
    environ["DEVICE_ID"], environ["ASCEND_DEVICE_ID"] = "5", ""
    npu_environment.prepare(environ)
    assert environ["DEVICE_ID"] == "5"


@pytest.mark.parametrize(
    "environ, said",
    [
        ({"TF_CONFIG": '{"cluster": {"worker": []}}'}, "TF_CONFIG"),
        ({"CM_WORKER_SIZE": "8"}, "CM_WORKER_SIZE"),
        ({"RANK_SIZE": "two"}, "RANK_SIZE=two"),
        ({"RANK_SIZE": "0"}, "RANK_SIZE=0"),
        ({"RANK_ID": "-1"}, "RANK_ID=-1"),
        ({"RANK_ID": "1"}, "RANK_ID=1 must be below RANK_SIZE=1"),
        ({"RANK_SIZE": "2"}, "RANK_ID is not set"),
        ({"RANK_SIZE": "2", "RANK_ID": "0"}, "needs RANK_TABLE_FILE"),
        ({"RANK_SIZE": "3", "RANK_ID": "0", "RANK_TABLE_FILE": "here"}, "has 2 ranks"),
        ({"RANK_SIZE": "2", "RANK_ID": "0", "POD_NAME": "1"}, "POD_NAME=1"),
    ],
)
def test_contradictions_are_named(environ, said, ranks_file):
    if environ.get("RANK_TABLE_FILE"):
        environ["RANK_TABLE_FILE"] = ranks_file
    with pytest.raises(UserError, match=said):
        npu_environment.prepare(environ)
