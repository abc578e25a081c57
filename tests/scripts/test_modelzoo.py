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


@pytest.fixture(scope="module")
def submission(root, tmp_path_factory):
    """The folder that modelzoo/lay_out.sh lays out from the last commit."""
    if not (root / ".git").exists():
        pytest.skip("not a clone with git")
    folder = tmp_path_factory.mktemp("submission") / "BSRN"
    done = _lay_out(root, folder)
    assert done.returncode == 0, done.stderr
    return folder


def _lay_out(project, target):
    return subprocess.run(
        ["bash", str(project / "modelzoo" / "lay_out.sh"), str(target)],
        capture_output=True,
        text=True,
    )


def _in(submission, words, cwd):
    environ = dict(os.environ, PYTHON=sys.executable)
    environ.pop("PYTHONPATH", None)
    return subprocess.run(words, env=environ, cwd=str(cwd), capture_output=True, text=True)


def test_a_submission_has_in_its_root_what_is_looked_for(submission):
    names = {path.name for path in submission.iterdir()}
    assert {"README.md", "README.zh.md", "LICENSE", "scripts", "bsrn_estimator"} <= names
    assert (submission / "modelzoo_level.txt").read_text().split() == [
        "FuncStatus:NOK",
        "PerfStatus:NOK",
        "PrecisionStatus:NOK",
    ]
    assert (submission / "requirements.txt").is_file()
    assert {path.name for path in (submission / "test").iterdir()} == {
        "train_%s_%dp.sh" % pair for pair in _KINDS
    }
    assert not (submission / ".git").exists()


@pytest.mark.parametrize("kind, cards", _KINDS)
def test_the_scripts_of_a_submission_start(submission, tmp_path, kind, cards):
    script = str(submission / "test" / ("train_%s_%dp.sh" % (kind, cards)))
    done = _in(submission, ["bash", script, "--help"], tmp_path)
    assert done.returncode == 0 and "--data_dump_step" in done.stdout, done.stderr


def test_a_submission_trains_by_itself(submission, records, tmp_path):
    # Its own sources, and none of this checkout.
    (submission / "bsrn_estimator" / "__init__.py").open("a").write('print("of the submission")\n')
    script = str(submission / "test" / "train_full_1p.sh")
    words = ["bash", script, "--data_path=" + records, "--output_path=out", "--train_steps=2"]
    done = _in(submission, words + ["--", "--device=cpu"] + _SMALL, tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Final Train Accuracy : " in done.stdout and "of the submission" in done.stdout
    assert (tmp_path / "out" / "BSRN_for_TensorFlow_bs3_1p_acc.log").exists()
    scripts = [["bash", str(path), "--help"] for path in sorted(submission.glob("scripts/*.sh"))]
    for command in [words for words in scripts if "setup" not in words[1]]:
        done = _in(submission, command, tmp_path)
        assert done.returncode == 0 and "Usage: " in done.stdout, command


def test_a_submission_is_not_laid_out_over_something_nor_from_nothing(root, submission, tmp_path):
    done = _lay_out(root, tmp_path)
    assert done.returncode == 2 and done.stderr == (
        "error: %s exists already; name another folder\n" % tmp_path
    )
    done = _lay_out(submission, tmp_path / "again")
    assert done.returncode == 2 and "is not a clone with git" in done.stderr
    assert done.stderr.count("\n") == 1 and list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind, cards", _KINDS)
def test_help(script, kind, cards):
    done = script("train_%s_%dp.sh" % (kind, cards), "--help")
    assert done.returncode == 0 and "--data_dump_step" in done.stdout
