"""Where a run of several replicas goes on after a divergence, and which batch is kept of it."""

import types

import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.errors import RunFailed
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.training import recovery
from bsrn_estimator.training.divergence import Diverged
from bsrn_estimator.training.options import TrainingOptions
from bsrn_estimator.training.rollbacks import Rollback, Rollbacks
from tests.support import tiny


class TwoBatches(Platform):
    """Takes two batches in every step, as two replicas do."""

    batches_per_step = 2


@pytest.fixture
def recover(tmp_path, monkeypatch):
    """Recovers from a divergence at step 5 in a folder with a checkpoint of step 2."""
    with tf.Graph().as_default(), tf.Session() as session:
        step = tf.train.get_or_create_global_step()
        session.run(step.assign(2).op)
        tf.train.Saver().save(session, str(tmp_path / "model.ckpt"), 2, write_meta_graph=False)
    kept = []

    def save_batch(read, path, batches, **facts):
        kept.append((read, path, batches, facts["step"]))
        return ["a", "b"]

    monkeypatch.setattr(recovery.divergence, "save_batch", save_batch)
    monkeypatch.setattr(recovery.health_history, "fault", lambda *_: None)
    # What is read is told by what it is asked for by: steps made, batches passed over.
    reading = types.SimpleNamespace(
        config=tiny.CONFIG, platform=TwoBatches(), after=lambda *given: given
    )

    def run(before, **options):
        given = TrainingOptions(on_nan="rollback", rollback_rate=0.25, **options)
        recovery.recover(str(tmp_path), Diverged(5, "why"), reading, before, given)
        return Rollbacks.load(str(tmp_path)), kept

    return run


def test_the_batches_of_all_replicas_are_passed_over(recover, tmp_path, capsys):
    before = Rollbacks((Rollback(4, 1, "nan", 7, 0.5),))
    found, kept = recover(before, max_rollbacks=2)
    assert found == before.and_one(Rollback(5, 2, "why", 6, 0.25))
    # Four steps were made, each of two batches; those of the fifth are kept.
    assert kept == [((4, 7), str(tmp_path / "diverged" / "step-5.npz"), 2, 5)]
    said = capsys.readouterr().out
    assert said.startswith("step 5: why; its batch (a, b) is kept in ")
    assert said.endswith("model.ckpt-2 with other data and 0.25 times the learning rate\n")


def test_it_goes_back_so_many_times_and_no_more(recover):
    before = Rollbacks((Rollback(4, 1, "nan", 7, 0.5),))
    with pytest.raises(RunFailed, match="training went back 1 times already"):
        recover(before, max_rollbacks=1)
