"""Records, training, evaluation and export from Python: results, refusals, and what is printed."""

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import bsrn_estimator as bsrn
from bsrn_estimator.checkpoints.config_file import Config
from tests.support import alone, fabricate, in_process

NETWORK = bsrn.Bsrn(
    scales=(2, 3), conv_features=5, state_features=3, recursions=2, recursion_frequency=2
)
RECIPE = bsrn.Recipe(batch_size=2, patch_size=7, learning_rate=1e-3)


def test_convert_says_what_it_made(sets):
    train, held = sets
    assert sorted(os.listdir(train.folder))[-1].endswith(".tfrecord")
    assert (train.manifest.kind, held.manifest.kind) == ("training", "evaluation")
    assert held.manifest.pictures == held.manifest.records == 3
    assert train.seconds > 0 and train.skipped == ()


@pytest.fixture(scope="module")
def run(sets, tmp_path_factory):
    """A run of 20 steps with an evaluation at 10 and at 20, and all that it printed."""
    folder = str(tmp_path_factory.mktemp("runs") / "run")
    train, held = sets
    return bsrn.train(
        NETWORK,
        RECIPE,
        bsrn.TrainingOptions(
            data_dir=train.folder, train_steps=20, summary_steps=5, evaluation_steps=10
        ),
        bsrn.RunOptions(model_dir=folder, save_checkpoints_steps=10),
        bsrn.EvaluationOptions(eval_data_dir=held.folder),
    )


def test_train_says_what_came_of_it(run):
    assert (run.step, run.finished) == (20, True)
    assert run.checkpoint == os.path.join(run.model_dir, "model.ckpt-20")
    assert os.path.exists(run.checkpoint + ".index")
    assert run.best == os.path.join(run.model_dir, "best") and os.path.isdir(run.best)
    points = [line for line in run.log if line["kind"] == "training"]
    assert [line["step"] for line in points] == [5, 10, 15, 20]
    assert all(line["loss/total"] > 0 for line in points)
    measured = [line for line in run.log if line["kind"] == "evaluation"]
    assert [(line["step"], line["set"]) for line in measured] == [(10, "held"), (20, "held")]
    assert Config.load(run.model_dir) == Config(NETWORK, RECIPE)


def test_nothing_is_printed_unless_asked_for(sets, run, tmp_path, capfd):
    train, held = sets
    options = bsrn.TrainingOptions(data_dir=train.folder, train_steps=2, log_steps=1)
    output = io.StringIO()
    for to in (None, output):
        folder = str(tmp_path / ("told" if to else "silent"))
        bsrn.train(NETWORK, RECIPE, options, bsrn.RunOptions(model_dir=folder), output=to)
        protocol = bsrn.EvaluationOptions(eval_data_dir=held.folder)
        bsrn.evaluate(folder, protocol, output=to)
    assert capfd.readouterr().out == ""
    assert "step 2 of 2" in output.getvalue() and "PSNR in dB" in output.getvalue()


def test_the_same_call_goes_on(sets, run, tmp_path):
    folder = bsrn.RunOptions(model_dir=str(tmp_path / "run"), save_checkpoints_steps=2)
    options = bsrn.TrainingOptions(data_dir=sets[0].folder, train_steps=4, max_train_minutes=1e-9)
    first = bsrn.train(NETWORK, RECIPE, options, folder, checkpoint=run.model_dir)
    assert (first.step < 4, first.finished, first.best) == (True, False, None)
    last = bsrn.train(NETWORK, RECIPE, options.replace(max_train_minutes=None), folder)
    assert (last.step, last.finished) == (4, True)


def send_once(number, is_time):
    """Sends this process a signal when it is caught by somebody new and `is_time()`."""
    before = signal.getsignal(number)

    def wait():
        while signal.getsignal(number) is before or not is_time():
            time.sleep(0.01)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def test_what_signals_do():
    alone.run(__file__, "told_to_stop", 4)


@alone.test
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_training_that_is_told_to_stop_returns_what_there_is(sets, tmp_path, number):
    folder = tmp_path / "run"
    sender = send_once(number, lambda: list(folder.glob("model.ckpt-*.index")))
    options = bsrn.TrainingOptions(data_dir=sets[0].folder, train_steps=10**6)
    run = bsrn.RunOptions(model_dir=str(folder), save_checkpoints_steps=2)
    found = bsrn.train(NETWORK, RECIPE, options, run)
    sender.join()
    assert not found.finished and 1 <= found.step < 10**6
    assert os.path.exists(found.checkpoint + ".index")


@alone.test
@pytest.mark.parametrize(
    "number, error", [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)]
)
def test_a_conversion_that_is_told_to_stop_raises_what_the_signal_means(tmp_path, number, error):
    fabricate.folder(tmp_path / "pictures", [(300, 300)] * 40)
    sender = send_once(number, lambda: True)
    options = bsrn.ConversionOptions(
        "folder", str(tmp_path / "pictures"), str(tmp_path / "out"), patch_size=7, workers=1
    )
    with pytest.raises(error) as caught:
        bsrn.convert(options)
    sender.join()
    expected = "of 40 pictures are converted" if number == signal.SIGINT else "143"
    assert expected in str(caught.value)


def test_training_works_in_another_thread(sets, tmp_path):
    options = bsrn.TrainingOptions(data_dir=sets[0].folder, train_steps=2)
    run = bsrn.RunOptions(model_dir=str(tmp_path / "run"))
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(bsrn.train, NETWORK, RECIPE, options, run).result().finished


def test_evaluate_gives_the_figures_of_the_command(sets, run, tmp_path):
    held = sets[1].folder
    found = bsrn.evaluate(
        run.model_dir,
        bsrn.EvaluationOptions(eval_data_dir=held),
        bsrn.RunOptions(model_dir=str(tmp_path / "mine")),
    )
    assert found.checkpoint == run.checkpoint
    assert list(found.figures) == list(found.paths) == ["held"]
    written = json.loads(open(found.paths["held"]).read())
    assert written == found.figures["held"]
    assert set(written["scales"]) == {"2", "3"}
    status = in_process.run(
        ["--mode=evaluate", "--checkpoint=" + run.model_dir, "--eval_data_dir=" + held]
        + ["--model_dir=%s" % (tmp_path / "theirs")]
    )
    assert status == 0
    (theirs,) = (tmp_path / "theirs").rglob("metrics.json")
    assert json.loads(theirs.read_text())["scales"] == written["scales"]
    assert "held" in found.table and "x3" in found.table
    logged = [line for line in run.log if line["kind"] == "evaluation"][-1]
    assert logged["psnr_y/x2"] == pytest.approx(written["scales"]["2"]["psnr_y"], abs=1e-4)


def test_evaluate_takes_some_scales_and_a_network_of_the_project(sets, tmp_path):
    found = bsrn.evaluate(
        "clean",
        bsrn.EvaluationOptions(eval_data_dir=sets[1].folder, shave=4),
        bsrn.RunOptions(model_dir=str(tmp_path)),
        scales=[3],
    )
    assert list(found.figures["held"]["scales"]) == ["3"]
    assert found.figures["held"]["scales"]["3"]["shave"] == 4


def test_export_gives_the_paths(run, tmp_path, capfd):
    options = bsrn.ExportOptions(
        checkpoint=run.model_dir,
        export_dir=str(tmp_path / "out"),
        export_format="frozen",
        scales=(2,),
    )
    assert bsrn.export_network(options) == [str(tmp_path / "out/bsrn_x2.pb")]
    assert os.path.exists(str(tmp_path / "out/bsrn_x2.pb"))
    assert capfd.readouterr().out == ""
    with pytest.raises(bsrn.UserError, match="bsrn_x2.pb exists; add --overwrite"):
        bsrn.export_network(options)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: bsrn.convert(bsrn.ConversionOptions("flder", "x")), "--dataset takes div2k or"),
        (lambda: bsrn.convert(bsrn.ConversionOptions("folder", "nowhere")), "nowhere"),
        (lambda: bsrn.train(run=bsrn.RunOptions()), "a run needs a folder"),
        (
            lambda: bsrn.train(
                training=bsrn.TrainingOptions(evaluation_steps=7),
                evaluation=bsrn.EvaluationOptions(),
            ),
            "--evaluation_steps=7 must be a multiple of --save_checkpoints_steps=1000",
        ),
        (
            lambda: bsrn.train(training=bsrn.TrainingOptions(partial_checkpoint=True)),
            "--partial_checkpoint says how --checkpoint is taken",
        ),
        (
            lambda: bsrn.train(devices=bsrn.DeviceOptions(use_npu=True)),
            "Ascend is for the command: scripts/run_npu.sh",
        ),
        (lambda: bsrn.train(training=bsrn.TrainingOptions(data_dir="nowhere")), "nowhere"),
        (lambda: bsrn.evaluate("nowhere"), "nowhere"),
        (lambda: bsrn.evaluate("clean", bsrn.EvaluationOptions(eval_data_dir="no")), "no"),
        (lambda: bsrn.evaluate("clean", scales=[8]), "x8|8"),
        (lambda: bsrn.export_network(bsrn.ExportOptions(checkpoint="nowhere")), "nowhere"),
        (lambda: bsrn.TrainingOptions(train_steps=0), "--train_steps must be at least 1, not 0"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(call, message, tmp_path, monkeypatch):
    monkeypatch.chdir(str(tmp_path))
    with pytest.raises(bsrn.UserError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_tf_config_of_an_evaluator_is_refused(monkeypatch, tmp_path):
    cluster = {"cluster": {"chief": ["a:1"]}, "task": {"type": "evaluator", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(cluster))
    with pytest.raises(bsrn.UserError, match="evaluator, which is for the command"):
        bsrn.train(run=bsrn.RunOptions(model_dir=str(tmp_path / "run")))


SCRIPT = """
import bsrn_estimator as bsrn
options = bsrn.ConversionOptions("folder", "pictures", "out", scales=(2,), patch_size=7, workers=2)
%s
    print(bsrn.convert(options).manifest.pictures)
"""


@pytest.mark.parametrize(
    "guard, status, output",
    [("if __name__ == '__main__':", 0, "\n2\n"), ("if True:", 1, "convert below if __name__")],
)
def test_a_script_converts_in_several_processes_below_its_guard(
    root, tmp_path, guard, status, output
):
    fabricate.folder(tmp_path / "pictures", [(40, 44), (44, 40)])
    (tmp_path / "script.py").write_text(SCRIPT % guard)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=str(tmp_path),
        env=dict(os.environ, PYTHONPATH=str(root)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == status, done.stdout
    assert output in done.stdout


def test_importing_the_settings_needs_no_tensorflow(root):
    code = (
        "import sys, bsrn_estimator as bsrn\n"
        "bsrn.Bsrn(), bsrn.Recipe(), bsrn.TrainingOptions(), bsrn.RunOptions(), bsrn.train\n"
        "bsrn.EvaluationOptions(), bsrn.ExportOptions(), bsrn.DeviceOptions(), bsrn.convert\n"
        "assert 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=str(root), check=True)
