"""A run as the command line starts it, in this process: what it reads, where it ends and begins."""

import json
import os
import shutil
import signal

import numpy as np
import pytest

from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.compat import tf
from bsrn_estimator.interruption import Interrupted
from bsrn_estimator.platforms.base import Platform, RunOptions
from bsrn_estimator.training import reading, rollbacks
from bsrn_estimator.training import train as training
from bsrn_estimator.training.options import TrainingOptions
from tests.support import in_process, tiny

NETWORK = [
    "--conv_features=3",
    "--state_features=2",
    "--recursions=1",
    "--recursion_frequency=1",
    "--batch_size=2",
    "--patch_size=7",
    "--mode=train",
    "--device=cpu",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "records"
    return tiny.write_records(folder, "training", [(61, 50), (37, 75)], scales=(2, 4))


@pytest.fixture
def command(data):
    """Runs a training command in this process; returns its exit status."""

    def run(folder, *more):
        given = ["--data_dir=" + data, "--model_dir=%s" % folder]
        scales = [] if any(flag.startswith("--scales") for flag in more) else ["--scales=2"]
        return in_process.run(NETWORK + given + scales + list(more))

    yield run
    in_process.reset()


def _weights(prefix):
    reader = tf.train.load_checkpoint(str(prefix))
    names = [name for name in reader.get_variable_to_shape_map() if name.startswith("generator/")]
    return {name: reader.get_tensor(name) for name in names if "Adam" not in name}


def _same(one, other):
    return all(np.array_equal(one[name], other[name]) for name in one)


def test_first_weights_are_a_function_of_the_seed(command, tmp_path):
    found = []
    for name, seed in (("a", 1), ("b", 2), ("c", 1)):
        assert command(tmp_path / name, "--train_steps=1", "--seed=%d" % seed) == 0
        found.append(_weights(tmp_path / name / "model.ckpt-0"))
    assert _same(found[0], found[2]) and not _same(found[0], found[1])


def test_ends_with_a_checkpoint_when_its_time_is_up(command, tmp_path, capsys):
    assert command(tmp_path / "run", "--train_steps=100000", "--max_train_minutes=1e-6") == 0
    step = checkpoint_files.newest_step(str(tmp_path / "run"))
    assert 1 <= step < 100
    assert "time is up at step %d of 100000" % step in capsys.readouterr().out


def test_after_a_rollback_other_data_are_read(command, tmp_path, monkeypatch):
    """At this rate the second step diverges: the batches up to there do not come again."""
    starts = []
    read = reading.input_fn.training_input_fn

    def spy(*arguments, **given):
        starts.append(given["start_step"])
        return read(*arguments, **given)

    monkeypatch.setattr(reading.input_fn, "training_input_fn", spy)
    more = ["--learning_rate=1e5", "--on_nan=rollback", "--rollback_rate=1e-9"]
    assert command(tmp_path / "run", "--train_steps=4", *more) == 0
    (one,) = rollbacks.Rollbacks.load(str(tmp_path / "run")).of_run
    assert (one.back_to, one.skipped_batches) == (0, one.diverged_at)
    # Of the run, of the batch that is kept, and of the run that goes on.
    assert starts == [0, one.diverged_at - 1, one.diverged_at]
    assert command(tmp_path / "run", "--train_steps=6", *more) == 0
    assert starts[-1] == 4 + one.diverged_at


def test_remains_of_a_checkpoint_are_removed(command, tmp_path):
    remains = tmp_path / "run" / "model.ckpt-7_temp_0123"
    remains.mkdir(parents=True)
    (remains / "part-00000-of-00001").write_text("half")
    assert command(tmp_path / "run", "--train_steps=1") == 0
    assert not remains.exists()


class Meeting(Platform):
    """Processes that compare what they have in common, and are told to stop before they begin."""

    def together(self, run, facts, interruption, stopped_status):
        self.facts = facts()
        interruption.receive(signal.SIGTERM)
        raise Interrupted


@pytest.mark.parametrize("exit_zero, status", [(False, 128 + signal.SIGTERM), (True, 0)])
def test_what_processes_have_in_common_and_that_they_stop(data, tmp_path, exit_zero, status):
    config, meeting = tiny.config(scales=(2,), patch_size=7, learning_rate=0.5), Meeting()
    options = TrainingOptions(data_dir=data, train_steps=9, preemption_exit_zero=exit_zero)
    run = RunOptions(model_dir=str(tmp_path))
    assert training.train(config, meeting, run, options, lambda _config: None) == status
    facts = meeting.facts
    assert (facts["train_steps"], facts["learning_rate"], facts["replicas"]) == (9, 0.5, 1)
    assert (facts["data"]["records"], facts["tensorflow"]) == (2, tf.__version__)
    # As the others get them.
    assert json.loads(json.dumps(facts)) == facts


# First weights from another checkpoint.


def test_other_scales_start_from_the_weights_that_fit(command, tmp_path, capsys):
    assert command(tmp_path / "x2", "--train_steps=2") == 0
    capsys.readouterr()
    from_x2 = ["--checkpoint=%s" % (tmp_path / "x2"), "--train_steps=1", "--seed=5"]
    assert command(tmp_path / "refused", "--scales=2,4", *from_x2) == 2
    error = capsys.readouterr().err
    assert "it has no upscaler for x4; --partial_checkpoint takes the weights that fit" in error
    before = _weights(tmp_path / "x2" / "model.ckpt-2")
    for scales in ("4", "2,4"):
        folder = tmp_path / ("x" + scales)
        more = from_x2 + ["--scales=" + scales, "--partial_checkpoint"]
        assert command(folder, *more) == 0
        found = _weights(folder / "model.ckpt-0")
        # A network of one scale has no folder for it in its last convolution.
        sources = {name: name.replace("last_conv/x2/", "last_conv/") for name in found}
        taken = [name for name in found if sources[name] in before]
        fresh = sorted(set(found) - set(taken))
        assert (
            taken
            and fresh
            and all(np.array_equal(found[name], before[sources[name]]) for name in taken)
        )
        assert all("/x4/" in name for name in fresh)
        assert (
            "%d of %d tensors; start afresh: %s" % (len(taken), len(found), ", ".join(fresh))
            in capsys.readouterr().out
        )
        assert any(np.ptp(found[name]) > 0 for name in fresh)
    assert command(tmp_path / "new", "--partial_checkpoint") == 2
    assert "give that too" in capsys.readouterr().err
    assert command(tmp_path / "new", *from_x2, "--partial_checkpoint", "--initial_step=3") == 2
    assert "leave --initial_step out" in capsys.readouterr().err


def test_tensors_of_another_shape_start_afresh(command, tmp_path, capsys):
    assert command(tmp_path / "narrow", "--train_steps=1") == 0
    more = ["--checkpoint=%s" % (tmp_path / "narrow"), "--state_features=1", "--train_steps=1"]
    assert command(tmp_path / "other", "--partial_checkpoint", *more) == 0
    before = _weights(tmp_path / "narrow" / "model.ckpt-1")
    found = _weights(tmp_path / "other" / "model.ckpt-0")
    same = [name for name in found if found[name].shape == before[name].shape]
    assert 0 < len(same) < len(found)
    assert all(np.array_equal(found[name], before[name]) for name in same)


def test_a_first_checkpoint_that_is_gone_does_not_stop_a_run_that_has_its_own(
    command, tmp_path, capsys
):
    assert command(tmp_path / "first", "--train_steps=1") == 0
    again = ["--checkpoint=%s" % (tmp_path / "first")]
    assert command(tmp_path / "run", "--train_steps=1", *again) == 0
    shutil.rmtree(str(tmp_path / "first"))
    capsys.readouterr()
    assert command(tmp_path / "run", "--train_steps=2", *again) == 0
    output = capsys.readouterr().out
    assert "first is for a new run and not used: %s goes on" % (tmp_path / "run") in output
    assert checkpoint_files.newest_step(str(tmp_path / "run")) == 2
    assert command(tmp_path / "new", "--train_steps=2", *again) == 2


# Folders that are not what they should be.


def test_a_folder_whose_checkpoints_were_deleted_does_not_start_afresh(command, tmp_path, capsys):
    run = tmp_path / "run"
    assert command(run, "--train_steps=1") == 0
    shutil.copytree(str(run), str(run / "best"))
    for path in list(run.glob("model.ckpt-*")) + [run / "checkpoint"]:
        path.unlink()
    assert command(run, "--train_steps=2") == 2
    error = capsys.readouterr().err
    assert "was trained in (it has best)" in error and "--checkpoint=%s/best" % run in error
    # What a run leaves that is killed before its first checkpoint is no reason.
    shutil.rmtree(str(run / "best"))
    assert command(run, "--train_steps=2") == 0


def test_damaged_checkpoints_alone_are_no_new_run(command, tmp_path, capsys):
    run = tmp_path / "run"
    assert command(run, "--train_steps=1") == 0
    (run / "checkpoint").unlink()
    for path in run.glob("model.ckpt-*.index"):
        path.write_bytes(b"")
    assert command(run, "--train_steps=2") == 2
    assert "holds no whole checkpoint any more" in capsys.readouterr().err


def test_a_folder_of_records_is_no_model_folder(command, data, tmp_path, capsys):
    copy = str(tmp_path / "copy")
    shutil.copytree(data, copy)
    before = sorted(os.listdir(copy))
    for folder in (copy, data):
        assert command(folder, "--train_steps=1") == 2
        assert "is a folder of records" in capsys.readouterr().err
    assert sorted(os.listdir(copy)) == before


def test_a_copied_run_is_on_its_own(command, tmp_path):
    """The state is written anew with an absolute folder, copied, and trained on in the copy."""
    run, copy = tmp_path / "run", tmp_path / "copy"
    more = ["--save_checkpoints_steps=2", "--evaluation_steps=2", "--keep_checkpoint_max=2"]
    assert command(run, "--train_steps=4", *more) == 0
    (run / "checkpoint").unlink()
    assert command(run, "--train_steps=2", *more) == 0
    assert str(tmp_path) not in (run / "checkpoint").read_text()
    shutil.copytree(str(run), str(copy))
    before = sorted(path.name for path in run.iterdir())
    assert command(copy, "--train_steps=10", *more) == 0
    assert sorted(path.name for path in run.iterdir()) == before
    steps = sorted(int(path.stem.split("-")[1]) for path in copy.glob("model.ckpt-*.index"))
    assert steps == [8, 10]
    # Moved, it goes on too.
    shutil.move(str(run), str(tmp_path / "moved"))
    assert command(tmp_path / "moved", "--train_steps=6", *more) == 0
    for path in (tmp_path / "moved").rglob("*"):
        if path.is_file() and path.suffix in ("", ".json"):
            assert str(run).encode() not in path.read_bytes(), path
