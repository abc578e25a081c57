"""SRDRM as a family: what it costs, what its loss is, what of it is refused."""

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks import families
from bsrn_estimator.networks.choice import OutputChoice
from bsrn_estimator.networks.srdrm import Srdrm
from tests.support import tiny

# Scale, last kernel, all values, those that learn, multiply-adds of a picture of 480 x 640 in 10^9:
# counted by hand and by tf.keras on the authors' models.
COSTS = [
    (2, 5, 830851, 828675, 101.764),
    (4, 5, 1901571, 1897219, 145.628),
    (8, 5, 2972291, 2965763, 156.593),
    (2, 9, 873859, 871683, 114.976),
    (4, 9, 1944579, 1940227, 158.840),
    (8, 9, 3015299, 3008771, 169.805),
]


@pytest.mark.parametrize("scale, kernel, values, learnt, billions", COSTS)
def test_parameters_and_multiply_adds(scale, kernel, values, learnt, billions):
    network = Srdrm(scales=(scale,), output_kernel=kernel)
    shapes = network.weight_shapes()
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == values
    of_learning = [shape for name, shape in shapes.items() if network.learns(name)]
    assert sum(int(np.prod(shape)) for shape in of_learning) == network.parameters() == learnt
    assert network.multiply_adds(scale, (480, 640)) == pytest.approx(billions * 1e9, abs=5e5)
    assert families.told_by(shapes) == (Srdrm, {"scales": (scale,), "output_kernel": kernel})


@pytest.mark.parametrize("scales", [(3,), (2, 4), (2, 3, 4)])
def test_a_network_has_one_scale(scales):
    with pytest.raises(
        UserError, match="one scale, 2, 4 or 8, not %s" % ",".join(map(str, scales))
    ):
        Srdrm(scales=scales)


def test_refuses_another_kernel():
    with pytest.raises(UserError, match="--output_kernel must be 5 or 9, not 7"):
        Srdrm(output_kernel=7)


@pytest.mark.parametrize(
    "output, name", [("ensemble", "ensemble"), ("last", "last"), ("all", "ensemble")]
)
def test_there_is_one_output(output, name):
    assert Srdrm().picture_names(OutputChoice(output)) == (name,)
    with pytest.raises(UserError, match="--first_output=1.*one output"):
        Srdrm().picture_names(OutputChoice(output, 1))


@pytest.mark.parametrize("schedule, label", [("random", "hr"), ("joint", "hr_x2")])
def test_loss_is_that_of_the_picture(schedule, label):
    network = Srdrm()
    hr = np.stack([tiny.picture(seed, 10, 14) for seed in (1, 2)])
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(3)
        loss, parts = network.loss({"lr": hr[:, ::2, ::2]}, {label: tf.constant(hr)}, schedule)
        session.run(tf.global_variables_initializer())
        found = session.run([loss, parts["mse"], parts["redmean"]])
    assert np.isfinite(found).all() and min(found) > 0
    assert found[0] == pytest.approx(0.8 * found[1] + 0.2 * found[2], rel=1e-6)


def test_pictures_are_the_result_whatever_the_bands(monkeypatch):
    from bsrn_estimator.networks import bands

    made = {}
    network = Srdrm(scales=(4,), output_kernel=9)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        lr = tf.constant(tiny.picture(1, 9, 7)[np.newaxis])
        whole = network.results(lr, 4)["ensemble"]
        for pixels in (200, 700, bands.BAND_HR_PIXELS):
            monkeypatch.setattr(bands, "BAND_HR_PIXELS", pixels)
            made[pixels] = network.pictures(lr, 4, OutputChoice())[0]
        exported = network.exported(lr, 4, OutputChoice())
        session.run(tf.global_variables_initializer())
        expected, found, exported = session.run([whole, made, exported])
    assert expected.shape == (1, 36, 28, 3) and 0 <= expected.min() < expected.max() <= 255
    np.testing.assert_array_equal(exported, expected)
    for pixels, picture in found.items():
        np.testing.assert_allclose(picture, expected, atol=1e-3, err_msg=str(pixels))
