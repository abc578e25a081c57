"""Curves: on the disk before their checkpoint, taken back where a run goes on, fair rates."""

import functools
import time
import types

import numpy as np
import pytest

from bsrn_estimator import model_fn
from bsrn_estimator.compat import tf
from bsrn_estimator.platforms.base import Platform, RunOptions
from bsrn_estimator.training import curves, last_step
from bsrn_estimator.training import train as training
from bsrn_estimator.training.options import TrainingOptions
from tests.reliability.commands import curves as shown
from tests.reliability.commands import events
from tests.support import tiny

CONFIG = tiny.config(
    scales=(2,), conv_features=3, state_features=2, recursions=2, batch_size=2, patch_size=7
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "records"
    return tiny.write_records(folder, "training", [(61, 50), (37, 75)], scales=(2,))


def _train(data, folder, steps, evaluate=None, **options):
    run = RunOptions(model_dir=str(folder), save_checkpoints_steps=2)
    options = dict({"summary_steps": 1}, **options)
    options = TrainingOptions(data_dir=data, train_steps=steps, evaluation_steps=2, **options)
    build = functools.partial(model_fn.build, first_weights=lambda: None)
    return training.train(CONFIG, Platform(), run, options, build, evaluate)


def _points(folder):
    """(steps with a loss, steps of session logs) of the events that are on the disk now."""
    losses, starts = [], []
    for path in sorted(folder.glob("events*")):
        for event in events(path):
            if event.session_log.status == tf.SessionLog.START:
                starts.append(event.step)
            if any(value.tag == "loss/total" for value in event.summary.value):
                losses.append(event.step)
    return losses, starts


def test_points_are_on_the_disk_when_their_checkpoint_is(data, tmp_path, capsys):
    """An evaluation follows a checkpoint: what a kill at this moment would find."""
    found = {}

    def look(_checkpoint, step, _hooks):
        found[step] = _points(tmp_path)[0]

    assert _train(data, tmp_path, 5, look) == 0
    assert found == {2: [1, 2], 4: [1, 2, 3, 4], 5: [1, 2, 3, 4, 5]}
    # The same command again has nothing to train, and evaluates what a kill may have left out.
    seen = []
    again = dict(evaluate=lambda *given: seen.append(given))
    assert _train(data, tmp_path, 4, **again) == 0
    ((checkpoint, step, breaks_off),) = seen
    assert (checkpoint, step) == (str(tmp_path / "model.ckpt-5"), 5) and len(breaks_off) == 1
    said = capsys.readouterr().out
    assert "is at step 5 already; nothing to train" in said and said.count("trained to step") == 1
    assert last_step.load(str(tmp_path)) == 4


def test_a_run_that_goes_on_takes_back_what_was_written_past_its_checkpoint(data, tmp_path):
    assert _train(data, tmp_path, 3) == 0
    assert _train(data, tmp_path, 5) == 0
    losses, starts = _points(tmp_path)
    assert losses == [1, 2, 3, 4, 5] and starts == [1, 4]


def test_a_point_has_the_mean_of_its_steps_and_runs_say_what_they_are(data, tmp_path, capsys):
    every, third = tmp_path / "every", tmp_path / "third"
    assert _train(data, every, 6, summary_steps=1) == 0
    assert _train(data, third, 6, summary_steps=3) == 0
    assert "trained to step 6" in capsys.readouterr().out
    for tag in ("loss/total", "loss/x2", "loss/x2/recursion_01", "loss/x2/recursion_02"):
        points = [shown(every)[tag][step] for step in range(1, 7)]
        means = {3: [np.mean(points[:3])], 6: [np.mean(points[3:])]}
        assert shown(third)[tag] == {s: pytest.approx(v, rel=1e-4) for s, v in means.items()}
    texts = {
        value.tag: value.tensor.string_val[0].decode()
        for path in every.glob("events*")
        for event in events(path)
        for value in event.summary.value
        if value.metadata.plugin_data.plugin_name == "text"
    }
    assert "- conv_features: 3\n" in texts["config"] and "- dataset: tiny\n" in texts["data"]
    assert "- name: records\n" in texts["data"]


def test_a_point_is_recorded_by_the_process_that_writes(tmp_path):
    recorded = []
    values = types.SimpleNamespace(results={"step": [10, 10], "loss/total": [2.0, 4.0]})
    for folder in (str(tmp_path), None):
        hook = curves.CurvesHook(folder, 6, 10, record=lambda step, at: recorded.append((step, at)))
        if folder:
            hook._writer = tf.summary.FileWriterCache.get(folder)
        hook.after_run(None, values)
    ((step, scalars),) = recorded
    assert (step, scalars["loss/total"]) == (10, 3.0) and scalars["speed/patches_per_second"] > 0


class Writer:
    """A writer of events that brings none to the disk before it is told to."""

    def __init__(self):
        self.added, self.on_disk = [], []
        file = types.SimpleNamespace(FileName=lambda: b"no such file")
        self.event_writer = types.SimpleNamespace(_ev_writer=file)

    def add_summary(self, _summary, step):
        self.added.append(step)

    def flush(self):
        self.on_disk = list(self.added)


@pytest.mark.parametrize("moment", ["a checkpoint", "the end", "a failure"])
def test_points_do_not_wait_in_memory(moment):
    hook = curves.CurvesHook("folder", 6, 1)
    hook._writer = Writer()
    for step in (1, 2):
        values = {"step": [step], "loss/total": [2.0]}
        hook.after_run(None, types.SimpleNamespace(results=values))
    assert hook._writer.added == [1, 2] and hook._writer.on_disk == []
    if moment == "a checkpoint":
        curves.CurvesBeforeCheckpoint(hook).before_save(None, 2)
    elif moment == "the end":
        hook.end(None)
    else:
        hook.close()
    assert hook._writer.on_disk == [1, 2]


def test_evaluations_are_no_time_of_training(data, tmp_path, monkeypatch, capsys):
    """Neither in the rates, nor in the time left, nor in the time that is allowed."""
    late, now = [0.0], time.time
    monkeypatch.setattr(time, "time", lambda: now() + late[0])

    def evaluate(_checkpoint, _step, _hooks):
        late[0] += 1e6

    more = dict(max_train_minutes=10.0, log_steps=1)
    assert _train(data, tmp_path, 6, evaluate, **more) == 0
    rates = shown(tmp_path)["speed/steps_per_second"]
    assert late[0] == 3e6 and sorted(rates) == [1, 2, 3, 4, 5, 6]
    assert all(rate > 1e-3 for (rate,) in rates.values())
    lines = capsys.readouterr().out.splitlines()
    (third,) = [line for line in lines if line.startswith("step 3 of 6")]
    assert third.endswith(" left") and " h " not in third and " d " not in third


def test_a_file_that_ends_in_an_event_is_told(tmp_path):
    """TensorFlow 1.15 tells nobody of an event that it could not write."""
    with tf.Graph().as_default():
        with tf.summary.FileWriter(str(tmp_path)) as writer:
            for step in range(3):
                writer.add_summary(curves.text_summary("name", "x" * 100), step)
    (path,) = tmp_path.glob("events*")
    whole = path.read_bytes()
    curves._require_whole_events(str(path))
    for size in (len(whole) - 1, len(whole) - 4, len(whole) - 100, 30, 5):
        path.write_bytes(whole[:size])
        with pytest.raises(RuntimeError, match="No space left"):
            curves._require_whole_events(str(path))
    for content in (whole, b""):
        path.write_bytes(content)
        curves._require_whole_events(str(path))
    path.unlink()
    curves._require_whole_events(str(path))
