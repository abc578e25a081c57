"""The command line as a user drives it: whole runs as processes, refusals in this one."""

import csv
import json
import os
import subprocess
import sys

import pytest

from bsrn_estimator import flags, modes
from bsrn_estimator.checkpoints import SHIPPED, trained
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.cpu import CpuPlatform, has_bfloat16
from tests.reliability.commands import assert_same_weights, curves
from tests.support import in_process, refusals, tiny

STEPS = ["--save_checkpoints_steps=4", "--evaluation_steps=8", "--summary_steps=1"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The flags of tiny training and evaluation records."""
    folder = tmp_path_factory.mktemp("records")
    train = tiny.write_records(folder / "train", "training", [(61, 50), (37, 75), (48, 48)])
    test = tiny.write_records(folder / "test", "evaluation", [(61, 73), (49, 50)])
    return ["--data_dir=" + train, "--eval_data_dir=" + test]


def command(root, arguments):
    """Runs the command in a process of its own; returns (status, output, errors)."""
    done = subprocess.run(
        [sys.executable, "-m", "bsrn_estimator.main"] + arguments,
        cwd=str(root),
        capture_output=True,
        text=True,
        timeout=240,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def runs(root, data, tmp_path_factory):
    """Two runs of the same nine steps, one of them stopped after five and continued."""
    folder = tmp_path_factory.mktemp("runs")
    shared = data + tiny.NETWORK_FLAGS + STEPS + ["--threads=1", "--log_steps=1"]
    whole, parts = folder / "whole", folder / "parts"
    outputs = {}
    for name, model_dir, steps, mode in (
        ("whole", whole, 9, "train_and_evaluate"),
        ("first", parts, 5, "train"),
        ("second", parts, 9, "train"),
    ):
        extra = ["--model_dir=%s" % model_dir, "--train_steps=%d" % steps, "--mode=" + mode]
        outputs[name] = command(root, shared + extra)
    return whole, parts, outputs


def test_trains_evaluates_and_keeps_what_it_promises(runs):
    whole, _, outputs = runs
    status, output, errors = outputs["whole"]
    assert status == 0, errors
    assert "step 9 of 9" in output
    assert output.count("difference") == 2  # evaluations at step 8 and at the end
    metrics = json.loads((whole / "evaluation" / "step-9" / "test" / "metrics.json").read_text())
    assert sorted(metrics["scales"]) == ["2", "3", "4"]
    assert set(metrics["scales"]["3"]["images"]) == {"picture0", "picture1"}
    best = json.loads((whole / "best" / "best.json").read_text())
    assert (whole / "best" / ("model.ckpt-%d.index" % best["global_step"])).exists()
    assert tf.train.latest_checkpoint(str(whole)).endswith("model.ckpt-9")


def test_curves_have_every_step_once(runs):
    for folder in runs[:2]:
        found = curves(folder)
        for tag in ("loss/total", "learning_rate"):
            assert sorted(found[tag]) == list(range(1, 10)), tag
            assert all(len(values) == 1 for values in found[tag].values())
        for part in ("", "/recursion_02", "/recursion_04"):
            of_scales = [found["loss/x%d%s" % (scale, part)] for scale in (2, 3, 4)]
            assert sorted(step for points in of_scales for step in points) == list(range(1, 10))
        assert "scale" not in found
        assert "speed/patches_per_second" in found
    evaluated = curves(runs[0] / "eval_test")
    assert {step for step in evaluated["psnr_y/test/x3"]} == {8, 9}
    assert "bicubic_ssim_y/test/x4" not in evaluated
    of_bicubic = curves(runs[0] / "eval_test" / "bicubic")
    assert {step for step in of_bicubic["ssim_y/test/x4"]} == {8, 9}


def test_a_stopped_run_goes_on_as_if_it_had_not_been(runs):
    whole, parts, outputs = runs
    assert outputs["second"][0] == 0
    assert curves(whole)["loss/total"] == curves(parts)["loss/total"]
    assert_same_weights(whole, parts)


def test_finished_training_says_so(root, data, runs):
    arguments = data + tiny.NETWORK_FLAGS + STEPS + ["--model_dir=%s" % runs[0]]
    status, output, _ = command(root, arguments + ["--train_steps=9", "--mode=train"])
    assert status == 0
    assert "nothing to train" in output


def test_evaluate_alone(root, data, runs):
    arguments = ["--mode=evaluate", "--model_dir=%s" % runs[0], "--scales=2,4", data[1]]
    extra = ["--single_outputs", "--save_pictures", "--shave=4"]
    status, output, errors = command(root, arguments + extra)
    assert status == 0, errors
    assert "recursion_02" in output and "ensemble" in output
    folder = runs[0] / "evaluation" / "step-9" / "test-shave4-x2-x4"
    metrics = json.loads((folder / "metrics.json").read_text())
    assert sorted(metrics["scales"]) == ["2", "4"]
    assert metrics["precision"] == "float32" and "computed in float32" in output
    mixed = arguments + ["--mixed_precision", "--model_dir=%s" % (runs[0] / "mixed")]
    mixed += ["--checkpoint=%s" % runs[0]]
    status, output, errors = command(root, mixed)
    if not has_bfloat16():
        assert status == 2 and "--mixed_precision" in errors
        return
    assert status == 0, errors
    found = json.loads(
        next((runs[0] / "mixed").glob("evaluation/step-9/*/metrics.json")).read_text()
    )
    assert found["precision"] == "bfloat16" and "computed in bfloat16" in output
    for scale in ("2", "4"):
        exact = json.loads((folder / "metrics.json").read_text())["scales"][scale]["psnr_y"]
        assert 0 < abs(found["scales"][scale]["psnr_y"] - exact) < 0.1
    for output_name in ("ensemble", "recursion_02", "recursion_04"):
        assert (folder / "pictures" / output_name / "x4" / "picture1.png").exists()


@pytest.fixture
def parse():
    """Runs a command line in this process, whose flags are set back afterwards."""
    yield in_process.run
    in_process.reset()


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["--scales=2,5"], "--scales takes different ones of 2, 3, 4, 8"),
        (["--scales=two"], "--scales takes numbers"),
        (["--recursions=5", "--recursion_frequency=2"], "must be a multiple"),
        (["--evaluation_steps=3", "--save_checkpoints_steps=2"], "--evaluation_steps=3 must be"),
        (
            # No multiple of it is --evaluation_steps, which this mode does not read.
            ["--mode=train", "--save_checkpoints_steps=99999999"],
            "--data_dir=tfrecords/div2k_train is not there",
        ),
        (["--initial_step=3"], "give --checkpoint too"),
        (["--data_dir=nowhere"], "to_tfrecord.py --dataset=div2k"),
        (["--replicas=2"], "TensorFlow sees"),
        (["train"], "train is not a flag"),
        (["--mode=evaluate", "--model_dir=nowhere"], "nowhere"),
        (["--patch_size=0"], "--patch_size must be at least 1"),
        (["--degradations=jpg"], "--degradations takes any of jpeg,noise,blur, or nothing"),
        (["--jpeg_quality=good,95"], "--jpeg_quality takes two whole numbers, as in 1,2"),
        (["--noise_sigma=5"], "--noise_sigma takes two numbers, as in 1,2, not 5"),
        (["--device=gpu", "--use_npu"], "contradict"),
    ],
)
def test_refusals_are_one_sentence(parse, capsys, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    assert parse(arguments) == 2
    error = capsys.readouterr().err
    assert sentence in error and error.startswith("error: ") and error.count("\n") == 1
    assert os.listdir(str(tmp_path)) == []


@pytest.mark.parametrize("name", ["demo", "paper", "photo", "pretrained", "small"])
def test_every_flag_file_describes_a_network(root, parse, monkeypatch, name):
    described = []
    monkeypatch.setitem(
        modes._RUN, "train_and_evaluate", lambda: described.append(flags.network()) or 0
    )
    assert parse(["--flagfile=%s" % (root / ("configs/%s.flags" % name))]) == 0
    assert described[0].scales == (2, 3, 4)
    if name in SHIPPED:
        built = trained.find(name).network
        for field in ("conv_features", "state_features", "recursions", "recursion_frequency"):
            assert getattr(described[0], field) == getattr(built, field)


def test_mixed_precision_trains_and_goes_on_without_it(root, data, tmp_path):
    arguments = data + tiny.NETWORK_FLAGS + ["--mode=train", "--model_dir=%s" % (tmp_path / "run")]
    status, output, errors = command(root, arguments + ["--mixed_precision", "--train_steps=2"])
    try:
        CpuPlatform(mixed_precision=True)
    except UserError as refusal:
        assert status == 2 and refusals.sentence(errors) == "error: %s" % refusal
        return
    assert status == 0, errors
    status, output, errors = command(root, arguments + ["--train_steps=4", "--log_steps=1"])
    assert status == 0 and "step 4 of 4" in output, errors


def test_degraded_training_goes_on_with_the_same_degradations_alone(root, data, tmp_path):
    run = tmp_path / "run"
    arguments = data + tiny.NETWORK_FLAGS + ["--mode=train", "--model_dir=%s" % run]
    flags_given = ["--degradations=jpeg,blur,noise", "--jpeg_quality=40,60", "--blur_share=1"]
    status, _, errors = command(root, arguments + flags_given + ["--train_steps=2"])
    assert status == 0, errors
    saved = json.loads((run / "config.json").read_text())
    assert saved["degradations"] == ["blur", "noise", "jpeg"]
    assert saved["jpeg_quality"] == [40, 60] and saved["blur_share"] == 1
    status, output, errors = command(root, arguments + flags_given + ["--train_steps=4"])
    assert status == 0 and "is trained to step 4" in output, errors
    status, _, errors = command(root, arguments + flags_given[1:] + ["--allow_change"])
    assert status == 2
    assert "degradations was ('blur', 'noise', 'jpeg'), now ()" in refusals.sentence(errors)


def test_networks_are_compared_in_one_table(root, data, runs, tmp_path):
    whole, parts, _ = runs
    results = tmp_path / "results"
    arguments = ["--mode=evaluate", "--checkpoint=%s,pretrained,%s" % (whole, parts), data[1]]
    status, output, errors = command(root, arguments + ["--model_dir=%s" % results])
    assert status == 0, errors
    with open(str(results / "evaluation" / "comparison.csv"), newline="") as file:
        rows = list(csv.DictReader(file))
    names = [str(whole), "pretrained", str(parts)]
    assert [row["network"] for row in rows] == [name for name in names for _ in range(3)]
    assert rows[0]["psnr_y"] == rows[6]["psnr_y"]  # the same weights, which are filed once
    assert rows[0]["weights"] == rows[6]["weights"] != rows[3]["weights"]
    assert (rows[3]["parameters"], rows[3]["set"]) == ("308489", "test")
    last = output.split("\n\n")[-1].splitlines()
    assert [line.split()[:2] for line in last[2:6]] == [
        ["x2", name] for name in ["bicubic"] + names
    ]
    files = {path.name for path in (results / "evaluation").iterdir()}
    assert {"comparison.csv", "comparison.md", "step-9"} <= files
    status, _, errors = command(root, arguments[:1] + ["--checkpoint=%s,nowhere" % whole, data[1]])
    assert status == 2 and "nowhere is not a checkpoint" in errors


def test_a_misspelt_flag_gets_the_nearest_right_one(parse, capsys):
    assert parse(["--batchsize=3"]) == 2
    assert "batch_size" in capsys.readouterr().err


def test_records_that_cannot_serve_are_refused(parse, capsys, data, tmp_path):
    model_dir = ["--model_dir=%s" % (tmp_path / "run")]
    assert parse(data + model_dir + ["--scales=2,8"]) == 2
    assert "8" in capsys.readouterr().err
    assert parse(data + model_dir + ["--patch_size=900"]) == 2
    assert "patch" in capsys.readouterr().err
    swapped = [data[1].replace("eval_data_dir", "data_dir")]
    assert parse(swapped + data[1:] + model_dir + ["--patch_size=4"]) == 2
    assert "training" in capsys.readouterr().err
