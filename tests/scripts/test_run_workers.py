"""The script that starts processes on this machine which train together."""

import os
import signal
import subprocess
import sys

import pytest

from bsrn_estimator.checkpoints import files as checkpoint_files
from tests.support import tiny


@pytest.fixture
def start(root, tmp_path):
    """Starts the script with flags of its own and of training."""
    data = tiny.write_records(tmp_path / "train", "training", [(40, 50), (37, 45)], (2,))

    def run(own, *flags):
        command = ["bash", str(root / "scripts" / "run_workers.sh")] + own + ["--", "--mode=train"]
        command += tiny.NETWORK_FLAGS + ["--scales=2", "--device=cpu", "--data_dir=" + data]
        command += ["--model_dir=%s" % (tmp_path / "run"), "--log_steps=1"]
        return subprocess.Popen(
            command + list(flags),
            cwd=str(tmp_path),
            env=dict(os.environ, PYTHON=sys.executable),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )

    return run


@pytest.mark.timeout(600)
def test_workers_train_and_are_stopped(start, tmp_path):
    process = start(["--workers=2", "--log_dir=log"], "--train_steps=1000000")
    try:
        for line in process.stdout:
            if line.startswith("step 2 of"):
                break
        process.send_signal(signal.SIGTERM)
        output, errors = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 143, (output, errors)
    step = checkpoint_files.newest_step(str(tmp_path / "run"))
    assert step >= 2 and "stopped at step %d of" % step in output
    assert "step 2 of" in (tmp_path / "log" / "worker_1.log").read_text()


@pytest.mark.timeout(600)
def test_one_that_fails_is_shown(start, tmp_path):
    output, errors = start([], "--train_steps=2", "--learning_rate=0").communicate(timeout=300)
    assert "ended with status 2, and all others were stopped" in errors, (output, errors)
    assert "--learning_rate must be above 0" in errors


def test_what_it_cannot_start_it_refuses(start):
    process = start(["--workers=1"])
    assert process.communicate(timeout=60)[1] == "error: --workers must be at least 2, not 1\n"
    assert process.returncode == 2
