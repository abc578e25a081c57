"""What a checkpoint holds, and the network that it is of."""

import pytest

from bsrn_estimator.checkpoints import contents, restoring
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks.bsrn import Bsrn
from tests.support import checkpoints, golden

MULTI = golden.Golden("multi_scale")
SINGLE = golden.Golden("single_scale_stateless")


def test_describes_a_network_of_several_scales():
    description = contents.describe(MULTI.checkpoint)
    assert description.scales == (2, 3, 4, 8)
    assert (description.told["conv_features"], description.told["state_features"]) == (16, 16)
    assert description.has_optimizer
    assert description.global_step is None
    assert {n: list(s) for n, s in description.shapes.items()} == MULTI.variables
    assert set(description.weights + description.optimizer_names) == set(MULTI.variables)


def test_describes_a_network_of_one_scale_without_state():
    description = contents.describe(SINGLE.checkpoint)
    assert description.scales == (4,)
    assert (description.told["conv_features"], description.told["state_features"]) == (8, 0)
    assert description.parameters == 6867


def test_refuses_what_is_no_network_of_this_project(tmp_path):
    with tf.Graph().as_default(), tf.Session() as session:
        tf.get_variable("dense/kernel", [3, 2])
        session.run(tf.global_variables_initializer())
        prefix = tf.train.Saver().save(session, str(tmp_path / "other"))
    with pytest.raises(UserError, match="holds no network of this project"):
        contents.describe(prefix)


def test_reads_hyper_parameters_off_the_shapes():
    config = contents.network_of(MULTI.checkpoint, dict(recursions=4, recursion_frequency=2))
    expected = Bsrn(
        scales=(2, 3, 4, 8),
        conv_features=16,
        state_features=16,
        recursions=4,
        recursion_frequency=2,
    )
    assert config == expected


def test_asks_for_what_no_shape_tells():
    with pytest.raises(UserError) as caught:
        contents.network_of(MULTI.checkpoint)
    assert "--recursions and --recursion_frequency" in str(caught.value)
    with pytest.raises(UserError) as caught:
        contents.network_of(MULTI.checkpoint, dict(recursions=4))
    assert "give --recursion_frequency" in str(caught.value)


def test_saved_configuration_answers_and_arguments_override(tmp_path):
    prefix = checkpoints.copy(SINGLE.checkpoint, tmp_path / "model.ckpt")
    SINGLE.config.save(str(tmp_path))
    assert contents.network_of(prefix) == SINGLE.network
    config = contents.network_of(prefix, dict(recursions=6))
    assert (config.recursions, config.recursion_frequency) == (6, 2)
    assert config.scales == (4,) and config.conv_features == 8


def test_saved_configuration_of_another_network_is_refused(tmp_path):
    prefix = checkpoints.copy(SINGLE.checkpoint, tmp_path / "model.ckpt")
    Config(Bsrn(scales=(2, 4), conv_features=8, state_features=3)).save(str(tmp_path))
    with pytest.raises(UserError) as caught:
        contents.network_of(prefix)
    assert "no upscaler for x2" in str(caught.value)
    assert "state_features are 0, not 3" in str(caught.value)


def test_refusal_lists_what_differs_and_is_bounded(tmp_path):
    # All upscalers have kernels of half the width, and one bias is not there at all.
    with tf.Graph().as_default(), tf.Session() as session:
        for name, value in checkpoints.values(MULTI.checkpoint).items():
            if name.endswith("upscale/x2/conv2d/bias"):
                continue
            if "upscale" in name and "Adam" not in name:
                value = value[..., ::2]
            tf.Variable(value, name=name)
        session.run(tf.global_variables_initializer())
        prefix = tf.train.Saver().save(session, str(tmp_path / "model.ckpt"))
    with pytest.raises(UserError) as caught:
        restoring.initial_weights(prefix, MULTI.network)
    message = str(caught.value)
    assert "it has no generator/upscale/x2/conv2d/bias" in message
    assert "generator/upscale/x2/conv2d/kernel is [3, 3, 16, 32], not [3, 3, 16, 64]" in message
    advice = (
        "; and 10 more; --partial_checkpoint takes the weights that fit"
        " and starts the others afresh"
    )
    assert message.endswith(advice) and len(message) < 600
