"""The scripts of the ModelZoo, run without a card: what they write, and how they refuse."""

import os
import subprocess
import sys

import pytest

from tests import npu_double
from tests.support import tiny

_KINDS = [(kind, cards) for kind in ("full", "performance") for cards in (1, 8)]


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    tiny.write_records(folder / "train", "training", [(61, 50), (37, 75)])
    tiny.write_records(folder / "test", "evaluation", [(25, 31)])
    return str(folder)


@pytest.fixture
def script(root, tmp_path):
    def run(name, *arguments, **variables):
        return subprocess.run(
            ["bash", str(root / "modelzoo" / "test" / name)] + list(arguments),
            env=dict(os.environ, PYTHON=sys.executable, **variables),
            cwd=str(tmp_path),
            capture_output=True,
            text=True,
        )

    return run


_SMALL = tiny.NETWORK_FLAGS + [
    "--recursions=2", "--scales=2,3", "--save_checkpoints_steps=2", "--evaluation_steps=2",
    "--summary_steps=1",
]  # fmt: skip


def test_a_full_training_on_the_cpu(script, records, tmp_path):
    done = script(
        "train_full_1p.sh", "--data_path=" + records, "--output_path=out", "--train_steps=2", "--",
        "--device=cpu", *_SMALL
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    case = "BSRN_for_TensorFlow_bs3_1p_acc"
    written = dict(
        line.split(" = ") for line in (tmp_path / "out" / (case + ".log")).read_text().splitlines()
    )
    assert written["CaseName"] == case and written["BatchSize"] == "3"
    assert written["RankSize"] == "1"
    losses = (tmp_path / "out" / ("train_%s_loss.txt" % case)).read_text().splitlines()
    assert [line.split()[1] for line in losses] == ["1", "2"]
    assert float(losses[-1].split()[-1]) == pytest.approx(float(written["ActualLoss"]))
    for line in (
        "Final Performance images/sec : " + written["ActualFPS"],
        "Final Train Accuracy : " + written["TrainAccuracy"],
        "E2E Training Duration sec : " + written["E2ETrainingTime"],
    ):
        assert line in done.stdout
    assert float(written["TrainAccuracy"]) > 0


def test_the_switches_reach_the_card(script, records, tmp_path):
    double = npu_double.build("development", str(tmp_path / "double"))
    record = str(tmp_path / "record")
    done = script(
        "train_performance_1p.sh", "--data_path=" + records, "--output_path=out", "--train_steps=2",
        "--precision_mode=force_fp16", "--over_dump=True", "--profiling=True", "--autotune=True",
        "--", *_SMALL, PYTHONPATH=double, NPU_DOUBLE_RECORD=record
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    with open(record) as file:
        text = file.read()
    for word in ("force_fp16", "overflow_dump", "profiling", "RL,GA"):
        assert word in text, word
    assert os.path.exists(str(tmp_path / "out" / "BSRN_for_TensorFlow_bs3_1p_perf.log"))


def test_what_is_missing_is_told(script, tmp_path):
    done = script("train_full_1p.sh", "--data_path=%s" % tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: --data_path holds no training records")
    done = script("train_full_1p.sh")
    assert done.returncode == 2 and "--data_path" in done.stderr


@pytest.mark.parametrize("kind, cards", _KINDS)
def test_help(script, kind, cards):
    done = script("train_%s_%dp.sh" % (kind, cards), "--help")
    assert done.returncode == 0 and "--data_dump_step" in done.stdout
