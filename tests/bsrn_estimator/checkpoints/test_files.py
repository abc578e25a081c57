"""Which checkpoint is meant, and which are whole."""

import os
import shutil

import hypothesis
import pytest
from hypothesis import strategies as st

from bsrn_estimator.checkpoints import contents
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from tests.support import checkpoints, golden

SINGLE = golden.Golden("single_scale_stateless")


def test_path_with_an_ending_or_a_folder(tmp_path):
    inner = tmp_path / "checkpoint"
    inner.mkdir()
    prefix = checkpoints.copy(SINGLE.checkpoint, inner / "model.ckpt")
    paths = [
        prefix,
        prefix + ".index",
        prefix + ".meta",
        prefix + checkpoints.DATA,
        str(inner),
        str(tmp_path),
    ]
    assert {checkpoint_files.resolve(path) for path in paths} == {prefix}


@pytest.mark.parametrize("path", ["", "model.ckpt-7", "empty"])
def test_path_without_a_checkpoint(tmp_path, path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=str(tmp_path)):
        checkpoint_files.resolve(str(tmp_path / path))


def test_newest_is_the_highest_step_whatever_the_age(tmp_path):
    for step in (9, 1000, 200):
        checkpoints.copy(SINGLE.checkpoint, tmp_path / ("model.ckpt-%d" % step))
    checkpoints.copy(SINGLE.checkpoint, tmp_path / "weights")
    assert checkpoint_files.resolve(str(tmp_path)) == str(tmp_path / "model.ckpt-1000")


@pytest.mark.parametrize("ending", [checkpoints.DATA, ".index"])
@pytest.mark.parametrize("keep", [0, 1, 100, 0.5, -1])
def test_cut_short_is_passed_over(tmp_path, capsys, ending, keep):
    older = checkpoints.copy(SINGLE.checkpoint, tmp_path / "model.ckpt-10")
    newer = checkpoints.copy(SINGLE.checkpoint, tmp_path / "model.ckpt-20")
    size = os.path.getsize(newer + ending)
    checkpoints.cut(newer + ending, int(keep * size) if isinstance(keep, float) else keep % size)
    assert checkpoint_files.resolve(str(tmp_path)) == older
    warning = capsys.readouterr().err
    assert warning.count("\n") == 1 and newer in warning and "damaged" in warning
    with pytest.raises(UserError, match="model.ckpt-20 is damaged"):
        checkpoint_files.resolve(newer)


@hypothesis.settings(max_examples=20)
@hypothesis.given(
    position=st.integers(0, os.path.getsize(SINGLE.checkpoint + checkpoints.DATA) - 1)
)
def test_a_flipped_bit_is_damage(tmp_path_factory, position):
    prefix = checkpoints.copy(SINGLE.checkpoint, tmp_path_factory.mktemp("flipped") / "model.ckpt")
    assert checkpoint_files.damage(prefix) is None
    with open(prefix + checkpoints.DATA, "r+b") as file:
        file.seek(position)
        byte = file.read(1)
        file.seek(position)
        file.write(bytes([byte[0] ^ (1 << position % 8)]))
    assert checkpoint_files.damage(prefix)


def test_a_missing_file_is_damage(tmp_path):
    prefix = checkpoints.copy(SINGLE.checkpoint, tmp_path / "model.ckpt-20")
    os.remove(prefix + checkpoints.DATA)
    assert checkpoint_files.damage(prefix)
    with pytest.raises(UserError, match="holds no whole checkpoint"):
        checkpoint_files.resolve(str(tmp_path))


def test_estimator_is_made_to_go_on_from_the_newest_whole(tmp_path):
    folder = str(tmp_path)
    assert checkpoint_files.adopt_newest_whole(folder) is None
    assert checkpoint_files.adopt_newest_whole(str(tmp_path / "none")) is None
    for step in (10, 20, 30):
        checkpoints.copy(SINGLE.checkpoint, tmp_path / ("model.ckpt-%d" % step))
    assert checkpoint_files.adopt_newest_whole(folder) == str(tmp_path / "model.ckpt-30")
    assert tf.train.latest_checkpoint(folder) == str(tmp_path / "model.ckpt-30")
    checkpoints.cut(str(tmp_path / "model.ckpt-30") + checkpoints.DATA, 1000)
    assert checkpoint_files.adopt_newest_whole(folder) == str(tmp_path / "model.ckpt-20")
    state = tf.train.get_checkpoint_state(folder)
    names = [os.path.basename(path) for path in state.all_model_checkpoint_paths]
    assert names == ["model.ckpt-10", "model.ckpt-20"]
    assert state.model_checkpoint_path == str(tmp_path / "model.ckpt-20")


def test_a_file_that_cannot_be_opened_is_not_called_damaged(tmp_path):
    """What is not read says nothing of what it holds: no older one is taken in its place."""
    checkpoints.copy(SINGLE.checkpoint, tmp_path / "model.ckpt-10")
    newer = checkpoints.copy(SINGLE.checkpoint, tmp_path / "model.ckpt-20")
    os.remove(newer + checkpoints.DATA)
    os.mkdir(newer + checkpoints.DATA)
    with pytest.raises(UserError, match="ckpt-20.data.* cannot be read .*; make it readable"):
        checkpoint_files.resolve(str(tmp_path))


def test_what_is_missing_is_named(tmp_path, capsys):
    prefix = checkpoints.copy(SINGLE.checkpoint, tmp_path / "model.ckpt-20")
    shutil.copyfile(prefix + checkpoints.DATA, prefix + ".data-00001-of-00003")
    assert checkpoint_files.damage(prefix) == "model.ckpt-20.data-00000-of-00003 is missing"
    os.remove(prefix + ".index")
    assert checkpoint_files.damage(prefix) == "model.ckpt-20.index is missing"


def test_a_checkpoint_that_a_run_removes_meanwhile_is_not_mentioned(tmp_path, monkeypatch, capsys):
    older = checkpoints.copy(SINGLE.checkpoint, tmp_path / "model.ckpt-10")
    listed = checkpoint_files.checkpoints_in(str(tmp_path)) + [str(tmp_path / "model.ckpt-5")]
    monkeypatch.setattr(checkpoint_files, "checkpoints_in", lambda _: listed[::-1])
    assert checkpoint_files.newest_whole(str(tmp_path)) == older
    assert capsys.readouterr().err == ""


def test_a_checkpoint_that_is_removed_while_it_is_read_is_chosen_again(tmp_path):
    checkpoints.copy(SINGLE.checkpoint, tmp_path / "model.ckpt-10")
    tried = []

    def use(prefix):
        tried.append(os.path.basename(prefix))
        if len(tried) == 1:
            # Rotation, just before it is read.
            os.remove(prefix + ".index")
            os.remove(prefix + checkpoints.DATA)
            checkpoints.copy(SINGLE.checkpoint, tmp_path / "model.ckpt-20")
        return contents.describe(prefix).parameters

    assert checkpoint_files.with_newest(str(tmp_path), use) == 6867
    assert tried == ["model.ckpt-10", "model.ckpt-20"]


def test_a_failure_that_has_another_cause_is_not_tried_again(tmp_path):
    checkpoints.copy(SINGLE.checkpoint, tmp_path / "model.ckpt-10")
    tried = []

    def use(prefix):
        tried.append(prefix)
        raise UserError("no")

    with pytest.raises(UserError, match="no"):
        checkpoint_files.with_newest(str(tmp_path), use)
    assert len(tried) == 1
