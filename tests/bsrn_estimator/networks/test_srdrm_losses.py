"""The loss of SRDRM against figures that were computed by hand from its formula."""

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.networks import srdrm_losses

LEVEL = 1 / 127.5


def losses(difference, level=0.1):
    truth = np.full([2, 3, 5, 3], level, np.float32)
    result = truth + np.asarray(difference, np.float32) * np.float32(LEVEL)
    with tf.Graph().as_default(), tf.Session() as session:
        found = srdrm_losses.content_loss(tf.constant(result), tf.constant(truth))
        return session.run(found)


@pytest.mark.parametrize("level", [-0.9, 0.0, 0.7])
def test_a_grey_level_in_all_channels(level):
    total, square, colour = losses([1, 1, 1], level)
    # (512 / 256 + 4 + 767 / 256) / 255, whatever the mean of the reds is.
    assert colour == pytest.approx(8.99609375 / 255, rel=1e-4)
    assert square == pytest.approx(6.1515e-5, rel=1e-4)
    assert total == pytest.approx(0.00710497, rel=1e-4)


@pytest.mark.parametrize("levels", [1, 10])
def test_green_alone_goes_by_its_square(levels):
    assert losses([0, levels, 0])[2] == pytest.approx(levels**2 * 4 / 255, rel=1e-4)


def test_red_and_blue_weigh_by_the_mean_of_the_reds():
    # A truth of grey level 140.25; with the red a level above, their mean is half a level higher.
    assert losses([1, 0, 0])[2] == pytest.approx((512 + 140.75) / 256 / 255, rel=1e-4)
    assert losses([0, 0, 1])[2] == pytest.approx((767 - 140.25) / 256 / 255, rel=1e-4)


def test_equal_pictures_cost_nothing():
    assert losses([0, 0, 0]) == (0, 0, 0)
