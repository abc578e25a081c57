"""The graph check: the joint schedule passes; in a broken graph the right operation is named."""

import shutil
import sys

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks import losses
from bsrn_estimator.platforms.npu import graph_check
from bsrn_estimator.platforms.npu.options import NpuOptions
from bsrn_estimator.platforms.npu.platform import NpuPlatform
from bsrn_estimator.training import model_fn, optimization
from tests.support import tiny

_SMALL = {"conv_features": 3, "state_features": 2, "recursions": 2, "batch_size": 2}


def _config(schedule, scales=(2, 3)):
    return tiny.config(scales=scales, scale_schedule=schedule, patch_size=5, **_SMALL)


def _next_element(elements, end=lambda dataset: dataset.prefetch(1)):
    dataset = end(tf.data.Dataset.from_tensors(elements).repeat())
    return tf.data.make_initializable_iterator(dataset).get_next()


def _joint(config, **options):
    count = config.recipe.step_batch
    features = {"lr": np.zeros([count * len(config.network.scales), 5, 5, 3], np.uint8)}
    labels = {
        "hr_x%d" % scale: np.zeros([count, 5 * scale, 5 * scale, 3], np.uint8)
        for scale in config.network.scales
    }
    return _next_element((features, labels), **options)


def _train_op(loss, config):
    return optimization.train_op(
        loss, config.recipe, config.network.scope, tf.train.get_or_create_global_step()
    )[0]


@pytest.mark.parametrize("scales", [(2,), (2, 3), (2, 3, 4, 8)])
def test_the_joint_schedule_passes(scales):
    config = _config("joint", scales)
    with tf.Graph().as_default():
        features, labels = _joint(config)
        loss, _ = losses.joint_loss(features, labels, config.network)
        assert graph_check.violations([_train_op(loss, config), loss]) == []
        graph_check.check([loss])


def test_a_step_in_parts_passes():
    config = _config("joint")
    config = config._replace(recipe=config.recipe.replace(accumulate=2))
    with tf.Graph().as_default():
        spec = model_fn.spec(*_joint(config), config=config)
        assert graph_check.violations([spec.train_op, spec.loss]) == []


def test_the_random_schedule_is_control_flow_and_its_shapes_change():
    config = _config("random")
    with tf.Graph().as_default():
        dataset = tf.data.Dataset.from_tensors(
            ({"lr": np.zeros([2, 5, 5, 3], np.uint8), "scale": np.int32(2)}, np.zeros([2]))
        )
        features, _ = tf.data.make_initializable_iterator(dataset.prefetch(1)).get_next()
        hr = tf.placeholder_with_default(tf.zeros([2, 10, 10, 3], tf.uint8), [2, None, None, 3])
        loss, _ = losses.random_loss(features, {"hr": hr}, config.network)
        found = graph_check.violations([_train_op(loss, config)])
        assert {"shape", "control flow"} <= {violation.kind for violation in found}
        with pytest.raises(UserError, match=r"cannot be trained on the NPU: .*joint.*and \d+ more"):
            graph_check.check([loss])


def _dynamic_shape(values):
    return tf.boolean_mask(values, values > 0)


def _float64(values):
    return tf.cast(tf.cast(values, tf.float64, name="broken") * 2.0, tf.float32)


def _string(values):
    length = tf.strings.length(tf.as_string(values, name="broken"))
    return tf.cast(length, tf.float32)


def _python(values):
    result = tf.numpy_function(lambda array: array, [values], tf.float32, name="broken")
    result.set_shape(values.shape)
    return result


def _condition(values):
    return tf.cond(values[0, 0] > 0, lambda: values + 1, lambda: values, name="broken")


def _loop(values):
    return tf.while_loop(lambda v: v[0, 0] < 3, lambda v: v + 1, [values], name="broken")


def _codec(values):
    image = tf.cast(tf.zeros([2, 3, 3]) + values[0, 0], tf.uint8)
    decoded = tf.image.decode_png(tf.image.encode_png(image), channels=3, name="broken")
    decoded.set_shape([2, 3, 3])
    return tf.cast(decoded, tf.float32)


def _fed(values):
    return values + tf.placeholder(tf.float32, [4, 3], name="broken")


@pytest.mark.parametrize(
    "broken, kind",
    [
        (_dynamic_shape, "shape"),
        (_float64, "float64"),
        (_string, "string"),
        (_python, "host"),
        (_condition, "control flow"),
        (_loop, "control flow"),
        (_codec, "host"),
        (_fed, "host"),
    ],
)
def test_the_operation_that_breaks_a_graph_is_named(broken, kind):
    with tf.Graph().as_default():
        values = _next_element(np.ones([4, 3], np.float32))
        sound = values * 2.0
        graph_check.check([sound])
        found = graph_check.violations([tf.reduce_sum(broken(sound))])
        assert kind in {violation.kind for violation in found}
        if broken is not _dynamic_shape:
            assert any("broken" in violation.operation.name for violation in found)
        with pytest.raises(UserError, match="operation .* cannot be trained on the NPU"):
            graph_check.check([tf.reduce_sum(broken(sound))])


def test_what_comes_from_the_iterator_is_looked_at():
    with tf.Graph().as_default():
        dataset = tf.data.Dataset.from_tensors(np.ones([3], np.float32)).repeat().batch(2)
        values = tf.data.make_initializable_iterator(dataset.prefetch(1)).get_next()
        (violation,) = graph_check.violations([values])
        assert (violation.kind, violation.operation.name) == ("shape", "IteratorGetNext")
        keyed = _next_element({"key": np.array(["a"]), "lr": np.ones([2], np.float32)})
        assert [v.kind for v in graph_check.violations([keyed["lr"]])] == ["string"]


def test_a_pipeline_that_would_move_to_the_device_is_refused():
    with tf.Graph().as_default():
        values = _next_element(
            np.ones([3], np.float32), end=lambda data: data.batch(2, drop_remainder=True)
        )
        (violation,) = graph_check.violations([values])
        assert violation.kind == "pipeline"
        with pytest.raises(UserError, match="prefetch last"):
            graph_check.check([values])


def test_only_what_is_fetched_counts():
    with tf.Graph().as_default():
        values = _next_element(np.ones([4, 3], np.float32))
        tf.summary.scalar("unused", tf.reduce_sum(values))
        _python(values)
        graph_check.check([tf.reduce_sum(values)])


def test_a_build_in_a_folder_that_is_called_as_tensorflow(doubles, install, monkeypatch, tmp_path):
    install("r1.8.0")
    folder = str(tmp_path / "tensorflow-adapter" / "packages")
    shutil.copytree(doubles["r1.8.0"], folder)
    monkeypatch.syspath_prepend(folder)
    with tf.Graph().as_default():
        weight = tf.get_variable("weight", [3])
        platform = NpuPlatform(NpuOptions(loss_scale="dynamic"))
        optimizer = platform.wrap_optimizer(tf.train.AdamOptimizer())
        step = tf.train.get_or_create_global_step()
        pairs = optimizer.compute_gradients(tf.reduce_sum(weight))
        made = optimizer.apply_gradients(pairs, step)
        assert sys.modules["npu_bridge"].__file__.startswith(folder)
        assert any(
            operation.type == "Switch" for operation in tf.get_default_graph().get_operations()
        )
        platform.check_step([made])
        mine = tf.cond(tf.reduce_sum(weight) > 0, lambda: weight, lambda: -weight)
        with pytest.raises(UserError, match="control flow"):
            platform.check_step([made, mine])
