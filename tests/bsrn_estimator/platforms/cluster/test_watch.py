"""Processes that train together and are told to stop, killed, cut off or wrongly started."""

import random
import signal
import time

import pytest

from bsrn_estimator.checkpoints import files as checkpoint_files
from tests.reliability.commands import assert_same_weights, curves

LONG = ["--train_steps=1000000", "--save_checkpoints_steps=1000000", "--evaluation_steps=1000000"]
SHORT_WAIT = "--peer_timeout=20"


def _statuses(done):
    return [each.status for each in done]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("told", [0, 1])
def test_told_to_stop_all_save_and_end(processes, flags, tmp_path, told):
    flags = flags + ["--batch_size=2", "--model_dir=%s" % tmp_path, "--threads=1"]
    running = processes.start(2, *flags, *LONG)
    assert running[0].wait_for("step 3 of"), [each.wait() for each in running]
    asked = time.time()
    running[told].signal(signal.SIGTERM)
    done = [each.wait() for each in running]
    assert time.time() - asked < 30
    assert _statuses(done) == [143, 143], done
    step = checkpoint_files.newest_step(str(tmp_path))
    assert step >= 3 and "stopped at step %d of 1000000" % step in done[0].output
    assert all("Traceback" not in each.errors for each in done), done
    assert sorted(curves(tmp_path)["loss/total"]) == list(range(1, step + 1))


@pytest.mark.timeout(900)
def test_a_worker_told_to_stop_breaks_off_the_chiefs_evaluation(
    processes, flags, tmp_path, evaluated
):
    flags = flags + [
        evaluated,
        "--mode=train_and_evaluate",
        "--batch_size=2",
        "--model_dir=%s" % tmp_path,
    ]
    flags += ["--train_steps=4", "--save_checkpoints_steps=2", "--evaluation_steps=2"]
    running = processes.start(2, *flags)
    assert running[0].wait_for("step 2 of"), [each.wait() for each in running]
    running[1].signal(signal.SIGTERM)
    done = [each.wait() for each in running]
    assert _statuses(done) == [143, 143], done
    assert not list(tmp_path.glob("**/metrics.json"))
    done = processes.run(2, *flags)
    assert _statuses(done) == [0, 0], done
    evaluated = curves(tmp_path / "eval_test")["psnr_y/test/x2"]
    assert {step: len(values) for step, values in evaluated.items()} == {2: 1, 4: 1}


@pytest.mark.timeout(1800)
def test_a_process_that_is_killed_ends_the_others_which_go_on_exactly(
    processes, flags, tmp_path, request
):
    kills = request.config.getoption("--kills")
    steps = 20 + 10 * kills
    flags = flags + ["--batch_size=2", "--threads=1", "--train_steps=%d" % steps]
    flags += ["--save_checkpoints_steps=4", "--ema_decay=0.5"]
    done = processes.run(2, *flags, "--model_dir=%s" % (tmp_path / "whole"))
    assert _statuses(done) == [0, 0], done
    # The first two are the worker and the chief.
    chance = random.Random(0)
    folder = tmp_path / "broken"
    victims = []
    while len(victims) < kills:
        running = processes.start(2, *flags, "--model_dir=%s" % folder)
        victim = chance.randrange(2)
        if not running[0].wait_for("step ", 600, count=1 + chance.randrange(6)):
            break
        asked = time.time()
        running[victim].signal(signal.SIGKILL)
        done = [each.wait() for each in running]
        assert time.time() - asked < 60
        if done[1 - victim].status == 0:
            break  # the last step was made
        victims.append(victim)
        assert done[victim].status == 137 and done[1 - victim].status == 1, done
        last = done[1 - victim].errors.strip().splitlines()[-1:]
        assert len(last) == 1 and last[0].startswith("error: %s" % ["chief", "worker 0"][victim]), (
            done
        )
        assert "has ended" in last[0]
    print("killed, by rank: %s" % victims)
    assert len(victims) == kills and len(set(victims)) == min(kills, 2)
    done = processes.run(2, *flags, "--model_dir=%s" % folder)
    assert _statuses(done) == [0, 0], done
    assert_same_weights(tmp_path / "whole", folder)
    assert curves(tmp_path / "whole")["loss/total"] == curves(folder)["loss/total"]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("silent", [0, 1])
def test_a_process_that_is_silent_ends_the_others(processes, flags, tmp_path, silent):
    flags = flags + ["--batch_size=2", SHORT_WAIT, "--model_dir=%s" % tmp_path]
    running = processes.start(2, *flags, *LONG)
    assert running[0].wait_for("step 2 of"), [each.wait() for each in running]
    asked = time.time()
    running[silent].signal(signal.SIGSTOP)
    done = running[1 - silent].wait()
    assert time.time() - asked < 25
    running[silent].signal(signal.SIGKILL)
    running[silent].wait()
    assert done.status == 1, done
    name = ["chief", "worker 0"][silent]
    last = done.errors.strip().splitlines()[-1]
    assert last.startswith("error: %s (127.0.0.1:" % name), done
    assert "has not answered for" in last and "Traceback" not in done.errors


@pytest.mark.timeout(900)
def test_a_loss_that_explodes_ends_all_with_what_was_seen(processes, flags, tmp_path):
    flags = flags + ["--batch_size=2", "--learning_rate=1e6", "--model_dir=%s" % tmp_path]
    done = processes.run(2, *flags, "--train_steps=200", "--clip_norm=0")
    assert _statuses(done) == [1, 1], done
    for each in done:
        assert "error: step " in each.errors and "the loss is " in each.errors, done
        assert "Traceback" not in each.errors, done
    first, second = (each.errors.split("error: step ")[1].split(":")[0] for each in done)
    assert first == second
    kept = sorted(path.name for path in (tmp_path / "diverged").iterdir())
    assert kept == ["step-%s%s.npz" % (first, end) for end in ("-rank-1", "")]
