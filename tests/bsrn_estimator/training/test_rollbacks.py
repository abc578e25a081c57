"""What is set aside where a run went back to one checkpoint twice, and what a damaged file is."""

import json
import shutil

import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.training import rollbacks


@pytest.fixture
def run(tmp_path):
    """A model folder with whole checkpoints of steps 1 to 3; evaluations of 2 and 3."""
    folder = tmp_path / "run [1]"
    folder.mkdir()
    with tf.Graph().as_default(), tf.Session() as session:
        step = tf.train.get_or_create_global_step()
        saver = tf.train.Saver()
        for number in (1, 2, 3):
            session.run(step.assign(number).op)
            saver.save(session, str(tmp_path / "model.ckpt"), number, write_meta_graph=False)
    for path in tmp_path.glob("model.ckpt-*"):
        shutil.move(str(path), str(folder / path.name))
    for number in (2, 3):
        (folder / "evaluation" / ("step-%d" % number) / "set").mkdir(parents=True)
    return folder


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_checkpoint_is_set_aside_with_its_evaluations(run):
    newest = str(run / "model.ckpt-3")
    assert rollbacks.set_aside(str(run), newest, 3) == str(run / "model.ckpt-2")
    assert not list(run.glob("model.ckpt-3*"))
    aside = _names(run / "diverged")
    assert aside[1:] == ["model.ckpt-3.data-00000-of-00001", "model.ckpt-3.index"]
    assert aside[0].startswith("evaluation-3-")
    assert _names(run / "diverged" / aside[0]) == ["set"]
    assert _names(run / "evaluation") == ["step-2"]
    assert 'model_checkpoint_path: "model.ckpt-2"' in (run / "checkpoint").read_text()
    # A second time, and where nothing was evaluated.
    shutil.rmtree(str(run / "evaluation"))
    assert rollbacks.set_aside(str(run), str(run / "model.ckpt-2"), 2) == str(run / "model.ckpt-1")
    assert len(_names(run / "diverged")) == 5


def test_the_only_whole_checkpoint_stays(run):
    (run / "model.ckpt-1.index").write_bytes(b"")
    (run / "model.ckpt-2.data-00000-of-00001").unlink()
    before = _names(run)
    assert rollbacks.set_aside(str(run), str(run / "model.ckpt-3"), 3) is None
    assert _names(run) == before


GOOD = dict(diverged_at=7, back_to=5, reason="nan", skipped_batches=2, rate_factor=0.5)


@pytest.mark.parametrize(
    "change",
    [
        {"skipped_batches": "2"},
        {"skipped_batches": 2.0},
        {"rate_factor": 0},
        {"rate_factor": 1.01},
        {"rate_factor": "x"},
        {"more": 1},
    ],
)
def test_values_out_of_range_are_damage(tmp_path, change):
    (tmp_path / "rollbacks.json").write_text(json.dumps([GOOD, dict(GOOD, **change)]))
    with pytest.raises(UserError, match="rollbacks.json is damaged"):
        rollbacks.Rollbacks.load(str(tmp_path))


def test_none_and_several(tmp_path):
    assert rollbacks.Rollbacks.load(str(tmp_path)) == rollbacks.Rollbacks()
    (tmp_path / "rollbacks.json").write_text(json.dumps([GOOD, dict(GOOD, rate_factor=1)]))
    found = rollbacks.Rollbacks.load(str(tmp_path))
    assert (len(found.of_run), found.skipped_batches, found.rate_factor) == (2, 4, 0.5)
