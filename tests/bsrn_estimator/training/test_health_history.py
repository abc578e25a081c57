"""What counts as the health of the run before a checkpoint."""

import json

import numpy as np
import pytest

from bsrn_estimator.checkpoints import health
from bsrn_estimator.compat import tf
from bsrn_estimator.networks.probe import Layer
from bsrn_estimator.training import health_history
from tests.support import tiny

NETWORK = tiny.NETWORK
BLOCK = "generator/residual_modules/conv2d/"


def usual(active=0.4, dead=2, norm=1.0, bias=0.01):
    return {
        "health/active/recursion_02": active,
        "health/dead/recursion_02": dead,
        "health/norm/weight/block/kernel": norm,
        "health/norm/weight/block/bias": bias,
    }


def found(active=0.4, dead=2, norm=1.0, bias=0.01):
    norms = {"block/kernel": norm, "block/bias": bias}
    return health.Health({"recursion_02": Layer(active, dead, 64)}, norms)


@pytest.mark.parametrize(
    "now, why",
    [
        (found(), None),
        (found(active=0.11, dead=18, norm=3.9, bias=9.0), None),
        (found(dead=19), "19 of the 64 units of recursion_02 are dead, and 2 were"),
        (found(active=0.09), "0.09 of recursion_02 is active, and 0.4 was"),
        (found(norm=4.1), "the norm of block/kernel is 4.1, and was 1"),
    ],
)
def test_out_of_line_is_told_in_words(now, why):
    # The median is that of most, not the mean.
    before = [usual(), usual(), usual(active=0.001, dead=64, norm=90.0)]
    assert health_history.out_of_line(now, before) == why


def test_nothing_before_is_nothing_to_compare_with():
    assert health_history.out_of_line(found(dead=64), []) is None
    # As points of a run that had no such curves, or whose numbers were not finite.
    assert health_history.out_of_line(found(dead=64), [{"health/dead/recursion_02": None}]) is None


def write(folder, step, **changed):
    """A checkpoint of random weights, some of them changed."""
    draw = np.random.RandomState(1)
    with tf.Graph().as_default(), tf.Session() as session:
        made = []
        for name, shape in sorted(NETWORK.weight_shapes().items()):
            value = draw.normal(0, 0.05, shape).astype(np.float32) + changed.get(name, 0.0)
            made.append(tf.Variable(value, name=name, trainable=False))
            # The average of all lives on, whatever became of the weights.
            average = np.float32(value - changed.get(name, 0.0))
            made.append(tf.Variable(average, name=name + "/ExponentialMovingAverage"))
        session.run(tf.global_variables_initializer())
        path = str(folder / ("model.ckpt-%d" % step))
        return tf.train.Saver(made).save(session, path, write_meta_graph=False, write_state=False)


def test_by_the_log_and_without_one_by_the_checkpoints_before(tmp_path):
    dead = {BLOCK + "bias": -1e4}
    good, bad = write(tmp_path, 4), write(tmp_path, 8, **dead)
    bad_too = write(tmp_path, 12, **dead)
    folder = str(tmp_path)
    assert health_history.fault(folder, good, 4, NETWORK) is None
    assert "8 of the 8 units of recursion_01" in health_history.fault(folder, bad, 8, NETWORK)
    # Two before it, of which one is dead: between them lies the median.
    assert "8 of the 8" in health_history.fault(folder, bad_too, 12, NETWORK)
    now = health.of(bad, NETWORK, averaged=False)
    dying = [dict(health_history.scalars_of(now), kind="training", step=n) for n in (1, 2, 3, 9)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in dying))
    # By the log it was always so.
    assert health_history.fault(folder, bad, 8, NETWORK) is None


def test_averages_are_looked_at_where_they_are_used(tmp_path):
    prefix = write(tmp_path, 4, **{BLOCK + "bias": -1e4})
    weights = health.of(prefix, NETWORK, averaged=False)
    assert all(weights.layers["recursion_0%d" % n].dead == 8 for n in (1, 2, 3, 4))
    averages = health.of(prefix, NETWORK)
    assert averages.layers["recursion_01"].active > 0.1
    assert averages.norms["residual_modules/conv2d/bias"] < 1
    assert weights.norms["residual_modules/conv2d/bias"] == pytest.approx(1e4 * 8**0.5, rel=1e-3)
