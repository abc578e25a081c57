"""Several updates in a step: their order, and how Adam counts."""

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.config import Recipe
from bsrn_estimator.networks.base import Update
from bsrn_estimator.networks.srdrm_gan import SrdrmGan
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.training import adversarial

_RATE, _BETA1, _BETA2, _EPSILON = 0.01, 0.5, 0.999, 1e-7
_RECIPE = Recipe(
    learning_rate=_RATE,
    learning_rate_decay=1.0,
    adam_beta1=_BETA1,
    adam_epsilon=_EPSILON,
    clip_norm=0.0,
)


class _Adam:
    """Adam of one number, as its paper and TensorFlow have it."""

    def __init__(self, start):
        self.weight, self.mean, self.square = start, 0.0, 0.0

    def update(self, gradient, t):
        self.mean = _BETA1 * self.mean + (1 - _BETA1) * gradient
        self.square = _BETA2 * self.square + (1 - _BETA2) * gradient**2
        rate = _RATE * np.sqrt(1 - _BETA2**t) / (1 - _BETA1**t)
        self.weight -= rate * self.mean / (np.sqrt(self.square) + _EPSILON)


def toy():
    """Updates of two numbers, d and g, whose gradients depend on where the other stands."""

    def number(name, start):
        with tf.variable_scope("", reuse=tf.AUTO_REUSE):
            return tf.get_variable(name, [], initializer=tf.constant_initializer(start))

    def d(sign):
        def build():
            weight, other = number("discriminator/d", 0.5), number("srdrm/g", -0.3)
            return tf.square(weight - sign * 2.0 - other), {}, []

        return build

    def g():
        loss = tf.square(number("srdrm/g", -0.3) * 3.0 + number("discriminator/d", 0.5))
        return loss, {"part": 2.0 * loss}, []

    return (
        Update("d_real", "discriminator/", d(1.0)),
        Update("d_fake", "discriminator/", d(-1.0)),
        Update("generator", "srdrm/", g),
    )


def by_hand(steps, counts):
    """d and g after each step; `counts` gives Adam's t of the three updates of a step."""
    d, g, found = _Adam(0.5), _Adam(-0.3), []
    for step in range(steps):
        t_real, t_fake, t_g = counts(step)
        d.update(2 * (d.weight - 2.0 - g.weight), t_real)
        d.update(2 * (d.weight + 2.0 - g.weight), t_fake)
        g.update(6 * (3 * g.weight + d.weight), t_g)
        found.append((d.weight, g.weight))
    return found


@pytest.mark.parametrize(
    "adam_steps, counts, powers",
    [
        ("shared", lambda k: (3 * k + 1, 3 * k + 2, 3 * k + 3), {"beta1_power": 3}),
        (
            "own",
            lambda k: (2 * k + 1, 2 * k + 2, k + 1),
            {"beta1_power": 1, "discriminator/beta1_power": 2},
        ),
    ],
)
def test_order_and_counts(adam_steps, counts, powers):
    network = SrdrmGan(content_loss="none", adam_steps=adam_steps)
    steps = 12
    with tf.Graph().as_default(), tf.Session() as session:
        global_step = tf.train.get_or_create_global_step()
        loss, parts, step, rate = adversarial.step(toy(), network, _RECIPE, global_step, Platform())
        assert set(parts) == {"d_real", "d_fake", "part"}
        session.run(tf.global_variables_initializer())
        variables = {v.name.split(":")[0]: v for v in tf.global_variables()}
        assert {name for name in variables if name.endswith("beta1_power")} == set(powers)
        for number, expected in enumerate(by_hand(steps, counts)):
            session.run(step)
            weights = [variables["discriminator/d"], variables["srdrm/g"]]
            np.testing.assert_allclose(session.run(weights), expected, rtol=2e-4, atol=1e-5)
            for name, updates in powers.items():
                # The power stands at the next t.
                t = 1 + updates * (number + 1)
                assert session.run(variables[name]) == pytest.approx(_BETA1**t, rel=1e-5)
        assert session.run(global_step) == steps and session.run(rate) == pytest.approx(_RATE)


def test_losses_are_those_of_the_weights_between_the_updates():
    network = SrdrmGan(content_loss="none")
    with tf.Graph().as_default(), tf.Session() as session:
        global_step = tf.train.get_or_create_global_step()
        loss, parts, step, _ = adversarial.step(toy(), network, _RECIPE, global_step, Platform())
        session.run(tf.global_variables_initializer())
        found, of_parts, _ = session.run([loss, parts, step])
        # The first steps of Adam are of the rate each, against the sign of the gradient.
        d = 0.5
        assert of_parts["d_real"] == pytest.approx((d - 2.0 + 0.3) ** 2, rel=1e-5)
        d += _RATE
        assert of_parts["d_fake"] == pytest.approx((d + 2.0 + 0.3) ** 2, rel=1e-5)
        ((d, _),) = by_hand(1, lambda k: (1, 2, 3))
        assert found == pytest.approx((3 * -0.3 + d) ** 2, rel=1e-4)
        assert of_parts["part"] == pytest.approx(2 * found)


def test_the_moving_average_is_of_the_generator_alone():
    network = SrdrmGan(content_loss="none")
    recipe = _RECIPE.replace(ema_decay=0.9)
    with tf.Graph().as_default(), tf.Session() as session:
        global_step = tf.train.get_or_create_global_step()
        _, _, step, _ = adversarial.step(toy(), network, recipe, global_step, Platform())
        session.run(tf.global_variables_initializer())
        averages = [v for v in tf.global_variables() if "ExponentialMovingAverage" in v.name]
        assert [v.name for v in averages] == ["srdrm/g/ExponentialMovingAverage:0"]
        session.run(step)
        ((_, g),) = by_hand(1, lambda k: (1, 2, 3))
        # The decay of the first step: (1 + 1) / (10 + 1).
        expected = -0.3 + (1 - 2 / 11) * (g + 0.3)
        assert session.run(averages[0]) == pytest.approx(expected, rel=1e-4)
