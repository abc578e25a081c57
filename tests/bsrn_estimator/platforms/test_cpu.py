"""Mixed precision on the CPU: the types of what is computed, its values, and its refusals."""

import numpy as np
import pytest

from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.data import input_fn
from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms import cpu
from bsrn_estimator.training import model_fn
from tests.support import tiny

needs_bfloat16 = pytest.mark.skipif(
    not TF2 or not cpu.processor_flags() & {"avx512_bf16", "amx_bf16"},
    reason="needs TensorFlow 2.21 and a processor with bfloat16 instructions",
)


def _step(platform, config):
    """(loss, {name of a weight: its gradient}, types of the convolutions by their channels)."""
    with tf.Graph().as_default():
        features, labels = tf.data.make_one_shot_iterator(
            input_fn.synthetic_input_fn(config.network.scales, config.recipe)()
        ).get_next()
        spec = model_fn.spec(features, labels, config, platform)
        weights = tf.trainable_variables()
        assert {weight.dtype.base_dtype for weight in weights} == {tf.float32}
        gradients = tf.gradients(spec.loss, weights)
        types = {
            (int(op.outputs[0].shape[-1]), op.outputs[0].dtype)
            for op in tf.get_default_graph().get_operations()
            if op.type == "Conv2D"
        }
        names = [weight.op.name for weight in weights]
        with tf.Session() as session:
            session.run(tf.global_variables_initializer())
            noise = np.random.RandomState(3)
            for weight in weights:
                weight.load(0.1 * noise.randn(*weight.shape.as_list()), session)
            loss, found = session.run([spec.loss, gradients])
    return loss, dict(zip(names, found)), types


@needs_bfloat16
@pytest.mark.parametrize("schedule", ["joint", "random"])
def test_all_convolutions_but_the_last_are_in_bfloat16(schedule):
    config = tiny.CONFIG._replace(recipe=tiny.CONFIG.recipe.replace(scale_schedule=schedule))
    exact_loss, exact, types = _step(cpu.CpuPlatform(), config)
    assert {kind for _, kind in types} == {tf.float32}
    loss, gradients, types = _step(cpu.CpuPlatform(mixed_precision=True), config)
    assert {kind for channels, kind in types if channels != 3} == {tf.bfloat16}
    assert {kind for channels, kind in types if channels == 3} == {tf.float32}
    # Eight significant bits: a relative error of 2^-9 in each product.
    np.testing.assert_allclose(loss, exact_loss, rtol=1e-2)
    assert set(gradients) == set(exact)
    for name, gradient in exact.items():
        # A bias sums errors of all pixels; its gradient may be all but zero.
        distance = np.linalg.norm(gradients[name] - gradient)
        assert distance <= 0.05 * np.linalg.norm(gradient) + 1e-2, name


@pytest.mark.skipif(not TF2, reason="TensorFlow 1.15 is refused first")
def test_a_processor_without_bfloat16_is_refused(monkeypatch):
    monkeypatch.setattr(cpu, "processor_flags", lambda: {"avx2", "fma"})
    with pytest.raises(UserError, match="bfloat16 instructions"):
        cpu.CpuPlatform(mixed_precision=True)
    cpu.CpuPlatform()


@pytest.mark.skipif(TF2, reason="TensorFlow 2.21 can")
def test_the_first_runtime_is_refused():
    with pytest.raises(UserError, match="needs TensorFlow 2.21"):
        cpu.CpuPlatform(mixed_precision=True)
