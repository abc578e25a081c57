"""The ModelArts entry: local folders, object storage through a stand-in for moxing, failures."""

import importlib.util
import json
import os
import signal
import subprocess
import sys

import pytest

from bsrn_estimator.errors import UserError
from scripts import final_lines, modelarts_entry
from tests.support import tiny

_MOXING = """
import os, shutil
ROOT = os.environ["BUCKETS"]


def _local(url):
    return os.path.join(ROOT, url.split("://")[1]) if "://" in url else url


class file:
    @staticmethod
    def exists(url):
        return os.path.exists(_local(url))

    @staticmethod
    def copy_parallel(source, target):
        shutil.copytree(_local(source), _local(target), dirs_exist_ok=True)
"""


@pytest.fixture
def moxing(tmp_path, monkeypatch):
    """Object storage that is a folder; returns it."""
    buckets = tmp_path / "buckets"
    text = _MOXING
    if sys.version_info < (3, 8):
        text = text.replace("shutil.copytree", "_copy").replace(", dirs_exist_ok=True", "")
        text += "\n\nfrom distutils.dir_util import copy_tree as _tree\n"
        text += "\n\ndef _copy(source, target):\n    _tree.__globals__['_path_created'].clear()\n"
        text += "    _tree(source, target)\n"
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules" / "moxing.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path / "modules"))
    monkeypatch.setenv("BUCKETS", str(buckets))
    sys.modules.pop("moxing", None)
    yield buckets
    sys.modules.pop("moxing", None)


@pytest.fixture(autouse=True)
def handlers_set_back(monkeypatch):
    for name in ("RANK_ID", "RANK_SIZE", "RANK_TABLE_FILE", "JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    before = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    for number, handler in before:
        signal.signal(number, handler)


def manifests(folder, **kinds):
    """Makes folders that hold a manifest of a kind each."""
    for name, kind in kinds.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "manifest.json").write_text(json.dumps({"kind": kind}))


def test_finds_the_records_at_any_depth(tmp_path):
    manifests(tmp_path / "a" / "b", div2k_train="training", bsd100="evaluation")
    training, evaluation = modelarts_entry.find_records(str(tmp_path))
    assert training.endswith("b/div2k_train") and evaluation.endswith("b/bsd100")
    manifests(tmp_path, set5="evaluation")
    assert modelarts_entry.find_records(str(tmp_path))[1] == evaluation + ",%s/set5" % tmp_path
    manifests(tmp_path, more="training")
    with pytest.raises(UserError, match="several folders of training"):
        modelarts_entry.find_records(str(tmp_path))
    with pytest.raises(UserError, match="no training records"):
        modelarts_entry.find_records(str(tmp_path / "a" / "b" / "bsd100"))


def test_one_process_a_card_or_the_launcher(monkeypatch):
    records = ("/data/train", "/data/test")
    one = modelarts_entry.command("/m", records, ["--train_steps=3"])
    assert one[1:4] == ["-m", "bsrn_estimator.main", "--use_npu"]
    assert one[4:] == [
        "--mode=train_and_evaluate",
        "--model_dir=/m",
        "--data_dir=/data/train",
        "--eval_data_dir=/data/test",
        "--train_steps=3",
    ]
    assert "--use_npu" not in modelarts_entry.command("/m", records, ["--device=cpu"])
    assert "--mode=train" in modelarts_entry.command("/m", ("/data/train", None), [])
    monkeypatch.setenv("RANK_SIZE", "8")
    monkeypatch.setenv("RANK_TABLE_FILE", "/ranks.json")
    launcher = modelarts_entry.command("/m", records, [])
    assert importlib.util.find_spec(launcher[2])
    assert launcher[2:5] == [
        "bsrn_estimator.platforms.npu.launch",
        "--log_dir=/m/logs",
        "--",
    ]
    monkeypatch.setenv("RANK_ID", "0")
    assert "bsrn_estimator.main" in modelarts_entry.command("/m", records, [])


def _stand_in(monkeypatch, script):
    """Puts a few lines of Python in the place of training; they see the model folder as argv[1]."""
    monkeypatch.setattr(
        modelarts_entry,
        "command",
        lambda model_dir, records, further: [sys.executable, "-c", script, model_dir] + further,
    )


_SAVES = "import sys, os; open(os.path.join(sys.argv[1], 'model.ckpt-7'), 'w').write('weights');"


def test_object_storage_there_and_back(tmp_path, moxing, monkeypatch):
    manifests(moxing / "bucket" / "data", train="training")
    (moxing / "bucket" / "results").mkdir()
    (moxing / "bucket" / "results" / "model.ckpt-5").write_text("earlier")
    _stand_in(monkeypatch, "import sys, os; assert os.listdir(sys.argv[1]); " + _SAVES)
    arguments = ["--data_url=obs://bucket/data", "--train_url=obs://bucket/results"]
    assert modelarts_entry.main(arguments + ["--work_dir=%s" % (tmp_path / "work")]) == 0
    assert (moxing / "bucket" / "results" / "model.ckpt-7").read_text() == "weights"
    assert (moxing / "bucket" / "results" / "model.ckpt-5").read_text() == "earlier"


def test_results_come_back_when_training_fails_half_way(tmp_path, moxing, monkeypatch):
    manifests(moxing / "bucket" / "data", train="training")
    _stand_in(monkeypatch, _SAVES + "sys.exit(3)")
    arguments = ["--data_url=obs://bucket/data", "--train_url=s3://bucket/new"]
    assert modelarts_entry.main(arguments + ["--work_dir=%s" % (tmp_path / "work")]) == 3
    assert (moxing / "bucket" / "new" / "model.ckpt-7").exists()


def test_only_rank_0_brings_results_back(tmp_path, moxing, monkeypatch):
    manifests(moxing / "bucket" / "data", train="training")
    monkeypatch.setenv("RANK_ID", "1")
    monkeypatch.setenv("JOB_ID", "job")
    _stand_in(monkeypatch, _SAVES)
    arguments = ["--data_url=obs://bucket/data", "--train_url=s3://bucket/new"]
    assert modelarts_entry.main(arguments + ["--work_dir=%s" % (tmp_path / "work")]) == 0
    assert not (moxing / "bucket" / "new").exists()


def test_what_is_wrong_is_one_sentence(tmp_path, monkeypatch, capsys):
    sys.modules.pop("moxing", None)
    out = "--train_url=%s" % tmp_path
    assert modelarts_entry.main(["--data_url=%s" % (tmp_path / "none"), out]) == 2
    assert "is not a folder" in capsys.readouterr().err
    work = "--work_dir=%s" % (tmp_path / "work")
    assert modelarts_entry.main(["--data_url=obs://bucket/data", out, work]) == 2
    assert "moxing" in capsys.readouterr().err


def test_trains_for_real_and_prints_the_final_lines(root, tmp_path):
    tiny.write_records(tmp_path / "data" / "train", "training", [(40, 44), (37, 45)], (2,))
    tiny.write_records(tmp_path / "data" / "test", "evaluation", [(25, 31)], (2,))
    done = subprocess.run(
        [sys.executable, str(root / "scripts" / "modelarts_entry.py"), "--device=cpu"]
        + ["--data_url=%s" % (tmp_path / "data"), "--train_url=%s" % (tmp_path / "out")]
        + tiny.NETWORK_FLAGS
        + ["--scales=2", "--train_steps=4", "--summary_steps=1", "--recursions=2"]
        + ["--save_checkpoints_steps=4", "--evaluation_steps=4"],
        cwd=str(tmp_path),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    last = done.stdout.splitlines()[-4:]
    names = [line.split(" : ")[0] for line in last]
    assert names == [
        "Final Performance images/sec",
        "Final Performance sec/step",
        "Final PSNR x2",
        "Final SSIM x2",
    ]
    values = [float(line.split(" : ")[1]) for line in last]
    metrics = tmp_path / "out" / "evaluation" / "step-4" / "test" / "metrics.json"
    assert values[2] == pytest.approx(
        json.loads(metrics.read_text())["scales"]["2"]["psnr_y"], abs=1e-4
    )
    # Three patches in a step: the two medians are of the same steps.
    assert values[0] * values[1] == pytest.approx(3, rel=0.01)
    assert os.path.exists(str(tmp_path / "out" / "checkpoint"))
    assert final_lines.lines(str(tmp_path / "out"))[-4:] == last


def test_no_lines_from_an_empty_folder(tmp_path, capsys):
    assert final_lines.main([str(tmp_path)]) == 2
    assert "neither curves" in capsys.readouterr().err
    evaluation = tmp_path / "evaluation" / "step-3" / "test"
    evaluation.mkdir(parents=True)
    (evaluation / "metrics.json").write_text("[" * 100000)
    assert final_lines.main([str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "metrics.json cannot be read" in error and error.count("\n") == 1
