"""What is kept of a divergence, and where; that it is noticed is tested in tests/reliability."""

import numpy as np
import pytest

from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.compat import tf
from bsrn_estimator.training import divergence


@pytest.mark.parametrize("rank, name", [(0, "step-5.npz"), (2, "step-5-rank-2.npz")])
def test_each_process_has_a_file_of_its_own(rank, name):
    assert divergence.file_of("run", 5, rank) == "run/diverged/" + name


def test_only_some_names_are_shown():
    names = [str(number) for number in range(9)]
    assert divergence.shown(names[:8]) == "0, 1, 2, 3, 4, 5, 6, 7"
    assert divergence.shown(names) == "0, 1, 2, 3, 4, 5, 6, 7 and 1 more"


def _read(batches):
    """An input function of some batches of one picture each, their numbers in "lr"."""

    def read():
        numbers = tf.data.Dataset.range(1, 1 + batches)
        return numbers.map(
            lambda n: (
                {"lr": n * 10, "key": tf.strings.join(["p", tf.strings.as_string(n % 2)])[None]},
                {"hr": n * 100},
            )
        )

    return read


def test_the_batches_of_all_replicas_are_kept(tmp_path):
    path = str(tmp_path / "new" / "batch.npz")
    assert divergence.save_batch(_read(3), path, 3, step=7, loss=0.5) == ["p0", "p1"]
    with np.load(path) as kept:
        found = {name: kept[name].tolist() for name in kept.files}
    assert found == {
        "lr": 10,
        "lr.1": 20,
        "lr.2": 30,
        "hr": 100,
        "hr.1": 200,
        "hr.2": 300,
        "key": [b"p1"],
        "key.1": [b"p0"],
        "key.2": [b"p1"],
        "step": 7,
        "loss": 0.5,
    }
    assert divergence.save_batch(_read(3), path, step=7) == ["p1"]
    with np.load(path) as kept:
        assert set(kept.files) == {"lr", "hr", "key", "step"}


class Values:
    """What a session hands to a hook."""

    def __init__(self, step, loss):
        self.results = {"step": [step], "loss/total": [loss]}


def _hook(losses, factor=10.0):
    hook = divergence.DivergenceHook(factor)
    with tf.Graph().as_default():
        hook.begin()
    for step, loss in enumerate(losses):
        hook.after_run(None, Values(step, loss))
    return hook


def test_a_skipped_step_may_have_any_loss():
    hook = _hook([1.0] * 25)
    hook.after_run(None, Values(24, float("nan")))
    with pytest.raises(divergence.Diverged) as caught:
        hook.after_run(None, Values(25, float("inf")))
    assert (caught.value.step, caught.value.loss) == (25, float("inf"))


def test_an_explosion_is_told_by_the_median_of_the_last_losses():
    # Of 101: 51 of 1 and 50 of 5; what came before is forgotten.
    losses = [1000.0] * 40 + [1.0, 5.0] * 50 + [1.0]
    for steps, diverges in ((losses, True), (losses[:-1] + [5.0], False), (losses[:19], False)):
        hook = _hook(steps, 20.0)
        if diverges:
            with pytest.raises(divergence.Diverged) as caught:
                hook.after_run(None, Values(500, 21.0))
            reason = "the loss is 21, above --explosion_factor=20 times its median of 1"
            assert (str(caught.value), caught.value.step) == (reason, 500)
        else:
            hook.after_run(None, Values(500, 21.0))
    with pytest.raises(divergence.Diverged):
        _hook(losses[:20], 20.0).after_run(None, Values(500, 2e4 + 1))


def test_a_file_that_is_not_finite_is_removed(tmp_path):
    listener = divergence.FiniteFile(str(tmp_path))
    with tf.Graph().as_default(), tf.Session() as session:
        weight = tf.Variable([1.0, 2.0])
        saver = tf.train.Saver()
        for step, value in ((1, [1.0, 2.0]), (2, [1.0, np.nan])):
            session.run(weight.assign(value))
            saver.save(session, str(tmp_path / "model.ckpt"), step, write_meta_graph=False)
            if step == 1:
                listener.after_save(session, step)
        with pytest.raises(divergence.Diverged, match="though the loss is") as caught:
            listener.after_save(session, np.int64(2))
    assert caught.value.step == 2
    assert checkpoint_files.checkpoints_in(str(tmp_path)) == [str(tmp_path / "model.ckpt-1")]
