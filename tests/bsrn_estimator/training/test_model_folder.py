"""The model folder: one run at a time, and the hyper-parameters that it began with."""

import os
import subprocess
import sys

import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.training.model_folder import RunFolder
from tests.support import tiny


def test_second_run_is_refused_while_the_first_lives_and_not_after_it_died(tmp_path):
    path = str(tmp_path / "run")
    hold = "import sys, time\nfrom bsrn_estimator.training.model_folder import RunFolder\n"
    hold += "with RunFolder(%r):\n    print('held', flush=True)\n    time.sleep(60)" % path
    other = subprocess.Popen(
        [sys.executable, "-c", hold], stdout=subprocess.PIPE, universal_newlines=True
    )
    try:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(UserError, match="in use by another training run"):
            RunFolder(path).__enter__()
    finally:
        other.kill()
        other.wait()
    with RunFolder(path) as folder:
        assert folder.path == path


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="--model_dir=.*cannot be written"):
        RunFolder(str(tmp_path / "file" / "run")).__enter__()


def test_other_hyper_parameters_are_listed(tmp_path):
    config = tiny.config(conv_features=5)
    with RunFolder(str(tmp_path)) as folder:
        folder.check(config)
        assert "config.json" not in os.listdir(str(tmp_path))
        config.save(str(tmp_path))
        folder.check(config)
        other = tiny.config(conv_features=6, learning_rate=2e-4)
        with pytest.raises(UserError, match="conv_features was 5, now 6; learning_rate was"):
            folder.check(other)
        with pytest.raises(UserError, match="conv_features was 5, now 6"):
            folder.check(other, allow_change=True)
        rate = tiny.config(conv_features=5, learning_rate=2e-4, warmup_steps=7)
        with pytest.raises(UserError, match="--allow_change"):
            folder.check(rate)
        folder.check(rate, allow_change=True)
