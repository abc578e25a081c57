"""Being told to stop: a checkpoint at the current step, the curves on the disk, the status."""

import os
import signal
import time

import pytest

from bsrn_estimator.checkpoints import files as checkpoint_files
from tests.reliability.commands import curves

LONG = ["--train_steps=1000000", "--save_checkpoints_steps=1000000", "--evaluation_steps=1000000"]


@pytest.mark.parametrize(
    "number, extra, status",
    [
        (signal.SIGTERM, [], 143),
        (signal.SIGINT, [], 130),
        (signal.SIGTERM, ["--preemption_exit_zero"], 0),
    ],
)
def test_a_signal_saves_and_tells(commands, flags, tmp_path, number, extra, status):
    run = commands.start("main", *flags, *LONG, "--model_dir=%s" % tmp_path, *extra)
    assert run.wait_for("step 3 of"), run.wait()
    run.signal(number)
    told, asked = run.output().count("\n"), time.time()
    done = run.wait()
    assert time.time() - asked < 30
    assert done.status == status, done
    assert "Traceback" not in done.errors and "saving a checkpoint" in done.errors
    step = checkpoint_files.newest_step(str(tmp_path))
    assert step >= 3
    last = done.output.splitlines()[-1]
    assert last.startswith("stopped at step %d of 1000000; the same command goes on" % step)
    assert "python -m bsrn_estimator.main --scales=2" in last and last.endswith(
        " ".join(["--model_dir=%s" % tmp_path] + extra)
    )
    assert sorted(curves(tmp_path)["loss/total"]) == list(range(1, step + 1))
    # The step at work is ended, and no other one begun.
    assert done.output.count("\n") - told < 30


def test_a_second_ctrl_c_ends_at_once(commands, flags, tmp_path):
    run = commands.start("main", *flags, *LONG, "--model_dir=%s" % tmp_path)
    assert run.wait_for("step 2 of"), run.wait()
    os.kill(run.process, signal.SIGSTOP)
    # Both wait for the process, so that it cannot end in order between them.
    os.kill(run.process, signal.SIGINT)
    os.kill(run.process, signal.SIGCONT)
    os.kill(run.process, signal.SIGINT)
    done = run.wait()
    assert done.status == 130 and "Traceback" not in done.errors, done


def test_an_evaluation_is_broken_off_and_begun_again(commands, flags, tmp_path, test_dir):
    arguments = flags + ["--mode=train_and_evaluate", "--model_dir=%s" % tmp_path]
    arguments += ["--train_steps=4", "--save_checkpoints_steps=2", "--evaluation_steps=2"]
    run = commands.start("main", *arguments)
    assert run.wait_for("step 2 of"), run.wait()
    run.signal(signal.SIGTERM)
    done = run.wait()
    assert done.status == 143, done
    assert not list(tmp_path.glob("**/metrics.json"))
    done = commands.run("main", *arguments)
    assert done.status == 0, done
    evaluated = curves(tmp_path / "eval_test")["psnr_y/test/x2"]
    assert {step: len(values) for step, values in evaluated.items()} == {2: 1, 4: 1}
