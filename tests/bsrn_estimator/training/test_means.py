"""Means of losses between two points, each scale by itself."""

import pytest

from bsrn_estimator.training.means import Means


def test_losses_are_means_of_each_scale_since_the_last_point():
    means = Means()
    steps = [(2, 5.0, 1.0), (3, 12.0, 2.0), (2, 7.0, 3.0)]
    for number, (scale, total, part) in enumerate(steps):
        values = {"loss/total": total, "loss/recursion_04": part, "scale": float(scale)}
        means.add(dict(values, learning_rate=0.5**number))
    assert means.take() == {
        "loss/total": 8.0,
        "loss/x2": 6.0,
        "loss/x3": 12.0,
        "loss/x2/recursion_04": 2.0,
        "loss/x3/recursion_04": 2.0,
        "learning_rate": 0.25,
    }
    assert means.take() == {}
    means.add({"loss/total": 1.0, "loss/recursion_04": 0.5, "scale": 3.0})
    assert means.take() == {"loss/total": 1.0, "loss/x3": 1.0, "loss/x3/recursion_04": 0.5}


def test_steps_on_all_scales_have_their_parts_by_scale_already():
    means = Means()
    for total in (3.0, 4.0):
        means.add({"loss/total": total, "loss/x2/recursion_1": 2 * total})
    assert means.take() == {"loss/total": pytest.approx(3.5), "loss/x2/recursion_1": 7.0}
