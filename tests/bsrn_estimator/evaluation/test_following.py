"""Following a run: every checkpoint once, whatever the run does to them meanwhile."""

import os
import pathlib

import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation.following import Follower
from bsrn_estimator.interruption import Interrupted, Interruption
from tests.bsrn_estimator.evaluation.support import write_checkpoint


def _remove(prefix):
    for path in list(pathlib.Path(prefix).parent.glob(os.path.basename(prefix) + ".*")):
        path.unlink()


class _Watched:
    """A follower whose run is played by `happens`: a function for each evaluation, by its step."""

    def __init__(self, folder, last_step, **happens):
        self.steps, self._happens = [], happens
        self.interruption = Interruption()
        self.last_step = last_step
        self.follower = Follower(
            str(folder), self._evaluate, lambda: self.last_step, self.interruption, seconds=0.02
        )

    def _evaluate(self, checkpoint, step):
        self.steps.append(step)
        self._happens.get("at_%d" % step, lambda: None)()


def test_every_checkpoint_from_the_first_learning_on_to_the_last_step(tmp_path):
    for step in (0, 20, 9, 30):
        write_checkpoint(tmp_path, step, seed=1)
    watched = _Watched(tmp_path, 40, at_30=lambda: write_checkpoint(tmp_path, 40, seed=1))
    assert watched.follower.follow() is True
    assert watched.steps == [9, 20, 30, 40]


def test_waits_for_the_folder_and_for_the_last_step(tmp_path, monkeypatch, capsys):
    watched = _Watched(tmp_path / "run", None)
    naps = []

    def nap(seconds):
        naps.append(seconds)
        if len(naps) == 2:
            write_checkpoint(tmp_path / "run", 10, seed=1)
        if len(naps) == 5:
            assert watched.steps == [10]
            watched.last_step = 10

    monkeypatch.setattr("bsrn_estimator.evaluation.following.time.sleep", nap)
    assert watched.follower.follow() is True and watched.steps == [10]
    told = capsys.readouterr().out
    assert told.count("waiting for the first checkpoint in %s" % (tmp_path / "run")) == 1


def test_rotation_takes_checkpoints_away(tmp_path, capsys):
    first, second = (write_checkpoint(tmp_path, step, seed=1) for step in (10, 20))
    write_checkpoint(tmp_path, 30, seed=1)

    def gone_in_the_middle():
        _remove(first)
        _remove(second)
        raise RuntimeError("a file is not there")

    watched = _Watched(tmp_path, 30, at_10=gone_in_the_middle)
    assert watched.follower.follow() is True and watched.steps == [10, 30]
    told = capsys.readouterr().out
    assert first + " is gone" in told and second + " is gone" in told


def test_an_error_that_is_not_of_rotation_is_told(tmp_path):
    write_checkpoint(tmp_path, 10, seed=1)

    def refuse():
        raise UserError("it does not fit")

    with pytest.raises(UserError, match="does not fit"):
        _Watched(tmp_path, 10, at_10=refuse).follower.follow()


def test_a_checkpoint_is_looked_at_again_when_it_is_whole_or_another(tmp_path, capsys):
    prefix = write_checkpoint(tmp_path, 10, seed=1)
    data = pathlib.Path(prefix + ".data-00000-of-00001")
    whole = data.read_bytes()
    data.write_bytes(whole[:-9])
    write_checkpoint(tmp_path, 20, seed=1)

    def mend():
        data.write_bytes(whole)

    def another():
        write_checkpoint(tmp_path, 20, seed=2)
        watched._happens.pop("at_20")
        mend()
        watched.last_step = 20 if 10 in watched.steps else 21

    watched = _Watched(tmp_path, 21, at_20=another, at_10=lambda: setattr(watched, "last_step", 20))
    assert watched.follower.follow() is True
    assert watched.steps == [20, 10, 20]
    assert capsys.readouterr().err.count("warning: %s" % prefix) == 1


def test_a_signal_ends_it_between_and_in_evaluations(tmp_path):
    for step in (10, 20):
        write_checkpoint(tmp_path, step, seed=1)
    watched = _Watched(tmp_path, 20)
    watched._happens["at_10"] = lambda: setattr(watched.interruption, "received", 15)
    assert watched.follower.follow() is False and watched.steps == [10]

    def broken_off():
        raise Interrupted

    watched = _Watched(tmp_path, 20, at_10=broken_off)
    assert watched.follower.follow() is False and watched.steps == [10]
