"""Several processes that train one network, against one process of the same total batch."""

import glob
import os
import shutil

import numpy as np
import pytest

from bsrn_estimator.compat import TF2
from bsrn_estimator.platforms.cpu import has_bfloat16
from tests.reliability.commands import assert_same_weights, curves, weights

STEPS = 4


def _begin_as(folder, other) -> None:
    """Gives a new folder the first checkpoint of another, so that both have one start."""
    folder.mkdir()
    for path in glob.glob(str(other / "model.ckpt-0.*")):
        shutil.copy(path, str(folder))


def _assert_close(one, other, weight=2e-5, loss=1e-4) -> None:
    found, expected = curves(one)["loss/total"], curves(other)["loss/total"]
    assert sorted(found) == sorted(expected) == list(range(1, STEPS + 1))
    for step in expected:
        np.testing.assert_allclose(found[step], expected[step], rtol=loss)
    found, expected = weights(one), weights(other)
    assert set(found) == set(expected)
    for name, value in expected.items():
        # Adam divides by the root of the second moment, which is all but zero for some.
        np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=weight, err_msg=name)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "count, more",
    [
        (2, ["--scale_schedule=random", "--clip_norm=0.5", "--ema_decay=0.9"]),
        (3, ["--scale_schedule=joint", "--clip_norm=5"]),
    ],
)
def test_processes_train_as_one_of_their_total_batch(processes, flags, tmp_path, count, more):
    several, one = tmp_path / "several", tmp_path / "one"
    more = more + ["--train_steps=%d" % STEPS, "--save_checkpoints_steps=2"]
    together = flags + more + ["--batch_size=2", "--model_dir=%s" % several]
    done = processes.run(count, *together)
    assert [each.status for each in done] == [0] * count, done
    assert all("Traceback" not in each.errors for each in done), done
    _begin_as(one, several)
    total = "--batch_size=%d" % (2 * count)
    done = processes.alone(*flags, *more, total, "--model_dir=%s" % one)
    assert done.status == 0, done
    _assert_close(several, one)
    # The chief alone wrote.
    assert len(glob.glob(str(several / "events*"))) == 1
    assert not [name for name in os.listdir(str(several)) if name.startswith((".company", "tmp"))]
