"""Killed at any moment: the same command again ends with what an unbroken run has.

`pytest tests/reliability/test_kill.py --kills=50` kills each of the three commands 50 times.
"""

import json
import random
import signal
import time

import numpy as np
import pytest

from bsrn_estimator.checkpoints import files as checkpoint_files
from tests.reliability.commands import assert_same_weights, curves, weights
from tests.support import fabricate, tiny

_STEPS_A_LIFE = 12


def kill(run, random_numbers, line: str) -> bool:
    """Kills a command at a random moment; False if it ended before.

    Half of the kills come at a random time after a random number of its lines, which is where the
    work is; the others while it starts, or whenever.
    """
    if random_numbers.random() < 0.6:
        count = random_numbers.randint(1, _STEPS_A_LIFE)
        if not run.wait_for(line, count=count):
            return False
        time.sleep(random_numbers.expovariate(1 / 0.02))
    else:
        time.sleep(random_numbers.uniform(0, 3))
    alive = run.is_alive()
    run.signal(signal.SIGKILL)
    return alive


def kill_until_done(start, kills: int, seed: int, line: str = "step "):
    """Kills a command `kills` times, starting it again each time, then lets it come to its end."""
    random_numbers = random.Random(seed)
    killed = 0
    while killed < kills:
        run = start()
        killed += kill(run, random_numbers, line)
        done = run.wait()
        assert done.status in (0, 128 + signal.SIGKILL), done
        assert "Traceback" not in done.errors and "error:" not in done.errors, done
        if done.status == 0:
            break
    done = start().wait()
    assert done.status == 0, done
    return killed


@pytest.fixture(scope="module")
def kills(request):
    return request.config.getoption("--kills")


def _log(folder):
    """The lines of log.jsonl but for what no two runs have alike, points first."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    for line in lines:
        for name in ("time", "memory", "speed/steps_per_second", "speed/patches_per_second"):
            line.pop(name, None)
    return sorted(lines, key=lambda line: (line["kind"], line["step"], line.get("set")))


def test_training(commands, flags, test_dir, tmp_path, kills, record_property):
    steps = 20 + 8 * kills
    other = tiny.write_records(tmp_path / "other", "evaluation", [(30, 41)], scales=(2,))
    arguments = flags + [
        "--eval_data_dir=%s,%s" % (test_dir, other),
        "--mode=train_and_evaluate",
        "--train_steps=%d" % steps,
        "--save_checkpoints_steps=4",
        "--evaluation_steps=%d" % (4 * (steps // 4 // (2 + kills // 5))),
    ]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = commands.run("main", *arguments, "--model_dir=%s" % whole)
    assert done.status == 0, done
    killed = kill_until_done(
        lambda: commands.start("main", *arguments, "--model_dir=%s" % broken), kills, seed=7
    )
    record_property("kills", killed)
    print("training survived %d kills" % killed)
    assert killed == kills
    assert checkpoint_files.newest_step(str(broken)) == steps
    assert_same_weights(whole, broken)
    expected, found = curves(whole), curves(broken)
    for tag in (
        "loss/total",
        "loss/x2",
        "loss/x2/recursion_01",
        "loss/x2/recursion_02",
        "learning_rate",
    ):
        assert sorted(found[tag]) == list(range(1, steps + 1))
        assert found[tag] == expected[tag], tag
    for name in ("test", "other"):
        evaluated, expected = (curves(folder / ("eval_" + name)) for folder in (broken, whole))
        tag = "psnr_y/%s/x2" % name
        assert evaluated[tag] == expected[tag]
    assert _log(broken) == _log(whole)
    points = [line["step"] for line in _log(broken) if line["kind"] == "training"]
    assert points == list(range(1, steps + 1))
    best = [json.loads((folder / "best" / "best.json").read_text()) for folder in (whole, broken)]
    assert best[0] == best[1]
    assert_same_weights(whole / "best", broken / "best")
    assert not list(broken.glob("*_temp*")) and not list(broken.glob("**/*.incomplete"))


def test_training_of_a_gan(commands, train_dir, tmp_path, kills):
    """Both networks, both moments of each, and the counts that they share."""
    steps = 4 * (1 + kills)
    arguments = [
        "--network=srdrm_gan",
        "--content_loss=mse",
        "--mode=train",
        "--data_dir=" + train_dir,
        "--batch_size=1",
        "--patch_size=6",
        "--threads=1",
        "--device=cpu",
        "--summary_steps=1",
        "--log_steps=1",
        "--save_checkpoints_steps=2",
        "--train_steps=%d" % steps,
    ]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = commands.run("main", *arguments, "--model_dir=%s" % whole)
    assert done.status == 0, done
    wanted = max(kills // 2, 1)
    killed = kill_until_done(
        lambda: commands.start("main", *arguments, "--model_dir=%s" % broken), wanted, seed=2
    )
    assert killed == wanted
    assert_same_weights(whole, broken)
    saved = weights(whole)
    assert {"discriminator/conv_1/kernel/Adam_1", "srdrm/last_conv/kernel/Adam"} <= set(saved)
    assert saved["beta1_power"] == np.float32(0.5) ** (3 * steps + 1)
    expected, found = curves(whole), curves(broken)
    losses = [tag for tag in expected if tag.startswith("loss/")]
    assert {tag.split("/")[-1] for tag in losses} == {
        "total", "x2", "d_real", "d_fake", "adversarial", "srdrm", "mse", "redmean", "content",
    }  # fmt: skip
    for tag in losses:
        assert sorted(found[tag]) == list(range(1, steps + 1))
        assert found[tag] == expected[tag], tag


def test_conversion(commands, tmp_path, kills):
    sizes = [(53 + 7 * n % 40, 40 + 11 * n % 50) for n in range(12 + 4 * kills)]
    fabricate.folder(tmp_path / "in", sizes)
    arguments = [
        "--dataset=folder",
        "--input_dir=%s" % (tmp_path / "in"),
        "--patch_size=6",
        "--tile_size=36",
        "--shard_bytes=30000",
        "--workers=1",
        "--name=set",
    ]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    done = commands.run("to_tfrecord", *arguments, "--output_dir=%s" % whole)
    assert done.status == 0, done
    random_numbers = random.Random(3)
    killed = 0
    for _ in range(4 * kills):
        run = commands.start("to_tfrecord", *arguments, "--output_dir=%s" % broken)
        time.sleep(random_numbers.uniform(0, done.seconds))
        killed += run.is_alive()
        run.signal(signal.SIGKILL)
        run.wait()
        if killed == kills:
            break
        if (broken / "manifest.json").exists():
            # It came to its end: the next life starts from nothing.
            assert fabricate.contents(broken) == fabricate.contents(whole)
            broken = tmp_path / ("broken-%d" % killed)
    last = commands.run("to_tfrecord", *arguments, "--output_dir=%s" % broken)
    assert last.status == 0, last
    print("conversion survived %d kills" % killed)
    assert fabricate.contents(broken) == fabricate.contents(whole)


def test_evaluation(commands, flags, tmp_path, kills):
    model = ["--model_dir=%s" % (tmp_path / "model")]
    done = commands.run("main", *flags, *model, "--train_steps=1")
    assert done.status == 0, done
    arguments = [flag for flag in flags if flag.startswith(("--eval_data", "--threads", "--dev"))]
    arguments += model + ["--mode=evaluate", "--save_pictures"]
    done = commands.run("main", *arguments)
    assert done.status == 0, done
    path = tmp_path / "model" / "evaluation" / "step-1" / "test" / "metrics.json"
    expected = json.loads(path.read_text())
    path.unlink()
    random_numbers = random.Random(5)
    killed = 0
    for _ in range(4 * kills):
        run = commands.start("main", *arguments)
        time.sleep(random_numbers.uniform(0, 1.2 * done.seconds))
        killed += run.is_alive()
        run.signal(signal.SIGKILL)
        run.wait()
        if path.exists():
            assert json.loads(path.read_text()) == expected
            path.unlink()
        if killed == kills:
            break
    assert commands.run("main", *arguments).status == 0
    print("evaluation survived %d kills" % killed)
    assert json.loads(path.read_text()) == expected
