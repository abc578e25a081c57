"""`--mode=evaluate --follow` beside `--mode=train`: together they leave what one command leaves."""

import json
import signal

import pytest

from tests.reliability.commands import Commands, assert_same_weights, curves
from tests.support import tiny

STEPS = ["--train_steps=15", "--save_checkpoints_steps=5", "--evaluation_steps=5"]


@pytest.fixture(scope="module")
def follower(root, tmp_path_factory):
    """Starts commands that run beside those of `commands`."""
    started = Commands(root, tmp_path_factory.mktemp("follower"))
    yield started
    started.close()


@pytest.fixture(scope="module")
def two_sets(test_dir, tmp_path_factory):
    """The flag of two sets."""
    folder = tmp_path_factory.mktemp("records") / "other"
    return "--eval_data_dir=%s,%s" % (
        test_dir,
        tiny.write_records(folder, "evaluation", [(30, 41)], scales=(2,)),
    )


def _evaluations(folder):
    """{(step, set): figures} of the log; each may come once."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    found = [line for line in lines if line["kind"] == "evaluation"]
    by_set = {(line["step"], line["set"]): dict(line, time=None) for line in found}
    assert len(by_set) == len(found)
    return by_set


@pytest.mark.timeout(900)
def test_a_run_and_its_follower(commands, follower, flags, two_sets, tmp_path):
    alone, pair = tmp_path / "alone", tmp_path / "pair"
    arguments = flags + STEPS + [two_sets]
    done = commands.run(
        "main", *arguments, "--mode=train_and_evaluate", "--model_dir=%s" % alone, "--best_by=other"
    )
    assert done.status == 0, done
    follow = ["--mode=evaluate", "--follow", two_sets, "--best_by=other", "--device=cpu"]
    follow += ["--threads=1", "--model_dir=%s" % pair]
    following = follower.start("main", *follow)
    assert following.wait_for("waiting for the first checkpoint", seconds=300), following.wait()
    keep_all = ["--keep_checkpoint_max=0", "--model_dir=%s" % pair]
    training = commands.start("main", *arguments, *keep_all)
    assert following.wait_for("step 5, test", seconds=300), following.wait()
    following.signal(signal.SIGTERM)
    stopped = following.wait()
    assert stopped.status == 143 and "Traceback" not in stopped.errors, stopped
    assert "stopped; the same command goes on: " in stopped.output
    assert training.wait().status == 0
    again = follower.run("main", *follow)
    assert again.status == 0, again
    # What was recorded is not measured again.
    told = (stopped.output + again.output).split()
    measured = _evaluations(pair)
    assert sorted(measured) == [(s, n) for s in range(5, 16, 5) for n in ("other", "test")]
    assert told.count("difference") == len(measured)
    assert measured == _evaluations(alone)
    assert_same_weights(alone / "best", pair / "best")
    best = [json.loads((folder / "best" / "best.json").read_text()) for folder in (alone, pair)]
    assert best[0] == best[1] and best[0]["data_set"] == "other"
    for name in ("test", "other"):
        tag = "psnr_y/%s/x2" % name
        points = [curves(folder / ("eval_" + name))[tag] for folder in (alone, pair)]
        assert points[0] == points[1] and sorted(points[0]) == list(range(5, 16, 5))
    # All is done: nothing to wait for.
    assert follower.run("main", *follow).status == 0


def test_refusals(commands, flags, two_sets, tmp_path):
    model = ["--mode=evaluate", "--follow", "--model_dir=%s" % tmp_path]
    done = commands.run("main", *model, two_sets, "--checkpoint=pretrained")
    assert done.status == 2 and "leave --checkpoint out" in done.errors
    done = commands.run("main", *model, two_sets, "--best_by=set5")
    assert done.status == 2 and "--best_by=set5 is none of the sets" in done.errors
    done = commands.run("main", *model, "--eval_data_dir=%s" % tmp_path)
    assert done.status == 2 and "has no manifest.json" in done.errors
