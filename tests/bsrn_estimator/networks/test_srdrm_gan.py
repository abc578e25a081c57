"""SRDRM-GAN: losses by hand, its three updates, and the family beside SRDRM."""

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks import batch_norm, families, srdrm_gan_losses, vgg19
from bsrn_estimator.networks.discriminator import discriminator
from bsrn_estimator.networks.srdrm import Srdrm
from bsrn_estimator.networks.srdrm_gan import SrdrmGan

NETWORK = SrdrmGan(content_loss="mse", output_kernel=5)


def value(tensor):
    with tf.Session(graph=tensor.graph) as session:
        return float(session.run(tensor))


def test_losses_of_an_undecided_discriminator():
    with tf.Graph().as_default():
        half = tf.fill([2, 3, 4, 1], 0.5)
        assert value(srdrm_gan_losses.as_real(half)) == 0.25
        assert value(srdrm_gan_losses.as_fake(half)) == 0.25
        assert value(srdrm_gan_losses.adversarial(half)) == pytest.approx(0.693147, abs=1e-6)


def test_losses_at_the_ends():
    with tf.Graph().as_default():
        ends = tf.constant([[[[0.0]], [[1.0]]]])
        assert value(srdrm_gan_losses.as_real(ends)) == value(srdrm_gan_losses.as_fake(ends)) == 0.5
        # Keras cuts off at 1e-7: -ln(1e-7) = 16.118, and nearly nothing at the other end.
        assert value(srdrm_gan_losses.adversarial(ends)) == pytest.approx(16.118 / 2, abs=1e-3)


@pytest.mark.parametrize("compared, content", [(None, 0.0), ((3.0, 1.0), 4.0)])
def test_the_loss_of_the_generator(compared, content):
    with tf.Graph().as_default():
        truth = tf.zeros([1, 5, 6, 3])
        # One grey level in all channels: 0.00710497 of SRDRM's loss (docs/srdrm.md).
        made = truth + 1 / 127.5
        half = tf.fill([1, 1, 1, 1], 0.5)
        if compared:
            compared = tuple(tf.fill([1, 2, 2, 7], one) for one in compared)
        loss, parts = srdrm_gan_losses.of_generator(half, made, truth, compared)
        assert value(parts["srdrm"]) == pytest.approx(0.00710497, rel=1e-5)
        expected = 1e-3 * 0.693147 + 1e-3 * 0.00710497 + content
        assert value(loss) == pytest.approx(expected, rel=1e-6)
        assert ("content" in parts) == bool(compared)


@pytest.fixture(scope="module")
def batch():
    noise = np.random.RandomState(0)
    lr = noise.randint(0, 256, [2, 8, 8, 3]).astype(np.uint8)
    return lr, lr.repeat(2, axis=1).repeat(2, axis=2)


def built(network, batch, feature_file=None):
    """The updates on one batch in the default graph, whose weights are resource variables."""
    lr, hr = batch
    features, labels = {"lr": tf.constant(lr)}, {"hr_x2": tf.constant(hr)}
    return network.updates(features, labels, "joint", feature_file=feature_file)


def test_what_each_update_reaches(batch):
    """The last one leaves the discriminator as it is, though it goes by its batch norms."""
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        real, fake, generator = built(NETWORK, batch)
        assert [u.name for u in (real, fake, generator)] == ["d_real", "d_fake", "generator"]
        loss, parts, moved = generator.build()
        scope = tf.train.AdamOptimizer().minimize(
            loss, var_list=tf.trainable_variables(generator.scope)
        )
        step = tf.group(scope, *moved)
        session.run(tf.global_variables_initializer())
        names = [v.name for v in batch_norm.variables()]
        before = dict(zip(names, session.run(batch_norm.variables())))
        session.run(step)
        after = dict(zip(names, session.run(batch_norm.variables())))
        changed = {n for n in names if not np.array_equal(before[n], after[n])}
        assert {n for n in names if n.startswith("discriminator/")} & changed == set()
        # Biases before a batch norm have a gradient of zero but for rounding.
        moving = {n for n in names if n.startswith("srdrm/") and "/moving_" in n}
        assert len(moving) == 34 and moving <= changed
        assert set(parts) == {"adversarial", "srdrm", "mse", "redmean", "content"}


def test_the_discriminator_moves_its_own_averages_and_not_the_generators(batch):
    with tf.Graph().as_default():
        for update in built(NETWORK, batch)[:2]:
            _, parts, moved = update.build()
            assert not parts and len(moved) == 14
            assert all(operation.name.startswith("discriminator") for operation in moved)


def test_the_made_pictures_are_by_the_moving_averages(batch):
    """So the loss on them, with first averages of 0 and 1, is that of the network as it is used."""
    lr, _ = batch
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        _, fake, _ = built(NETWORK, batch)
        loss, _, _ = fake.build()
        picture = NETWORK.results(tf.constant(lr), 2)[NETWORK.result] / 127.5 - 1.0
        expected = srdrm_gan_losses.as_fake(discriminator(picture))
        session.run(tf.global_variables_initializer())
        assert session.run(loss) == pytest.approx(float(session.run(expected)), rel=1e-5)
        gradients = tf.gradients(loss, tf.trainable_variables("srdrm/"))
        assert all(gradient is None for gradient in gradients)


def test_features_are_compared_where_there_is_a_file(batch, monkeypatch):
    monkeypatch.setattr(vgg19, "BLOCKS", ((1, 2), (1, 3)))
    noise = np.random.RandomState(0)
    weights = {
        name: tuple(noise.normal(0, 0.4, shape).astype(np.float32) for shape in shapes)
        for name, shapes in vgg19.shapes().items()
    }
    monkeypatch.setattr(vgg19, "read", lambda path: weights if path == "file" else None)
    with tf.Graph().as_default(), tf.Session() as session:
        tf.set_random_seed(1)
        loss, parts, _ = built(SrdrmGan(output_kernel=5), batch, "file")[-1].build()
        session.run([tf.global_variables_initializer(), tf.local_variables_initializer()])
        loss, parts = session.run([loss, parts])
        expected = parts["content"] + 1e-3 * (parts["adversarial"] + parts["srdrm"])
        assert loss == pytest.approx(expected, rel=1e-6) and parts["content"] > 0


def test_a_family_of_its_own_whose_weights_are_srdrms():
    shapes = dict(NETWORK.weight_shapes())
    assert families.told_by(shapes) == (Srdrm, {"scales": (2,), "output_kernel": 5})
    shapes["discriminator/conv_1/kernel"] = (3, 3, 3, 64)
    assert families.told_by(shapes) == (SrdrmGan, {"scales": (2,), "output_kernel": 5})
    assert SrdrmGan().output_kernel == 9
    # With 9x9: 873,859, of which 2,176 follow the data.
    assert SrdrmGan().parameters() == 871683
    assert SrdrmGan(scales=(8,)).parameters() == 3008771
    with pytest.raises(UserError, match="--content_loss takes vgg19 or mse or none, not vgg"):
        SrdrmGan(content_loss="vgg")
