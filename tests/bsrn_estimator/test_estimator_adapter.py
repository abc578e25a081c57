"""Each thing that the adapter relies on, so that an upgrade of TensorFlow fails here."""

import importlib
import inspect
import subprocess
import sys
import types

import numpy as np
import pytest

from bsrn_estimator import estimator_adapter
from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.errors import UserError

needs_adapter = pytest.mark.skipif(not TF2, reason="TensorFlow 1.15 has tf.estimator")


def python(code: str, **options) -> "subprocess.CompletedProcess":
    """Runs Python code in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        **options,
    )


def test_a_tensorflow_with_estimators_is_left_alone():
    own = types.ModuleType("tensorflow")
    own.estimator = object()
    kept = own.estimator
    estimator_adapter.provide(own)
    assert own.estimator is kept


@needs_adapter
def test_tensorflow_has_no_estimator_of_its_own():
    """Where it has one again, the adapter can go."""
    code = "import tensorflow.compat.v1 as tf; print(hasattr(tf, 'estimator'))"
    assert python(code, check=True).stdout == "False\n"


@needs_adapter
def test_the_package_is_the_one_that_the_adapter_was_written_for():
    metadata = importlib.import_module("importlib.metadata")
    assert metadata.version("tensorflow-estimator") == estimator_adapter.VERSION
    assert tf.__version__ == estimator_adapter.TENSORFLOW
    assert not metadata.requires("tensorflow-estimator")


@needs_adapter
def test_the_package_was_imported_past_its_own_init():
    assert not hasattr(sys.modules["tensorflow_estimator"], "estimator")
    for name, module in estimator_adapter.NAMES.items():
        thing = getattr(tf.estimator, name)
        module = sys.modules["tensorflow_estimator.python.estimator." + module]
        assert getattr(module, name) is thing
    loaded = [name for name in sys.modules if name.startswith("tensorflow_estimator.")]
    assert not [name for name in loaded if ".canned" in name or ".tpu" in name]


@needs_adapter
def test_what_the_decorators_ask_for_is_there():
    from tensorflow.python.util import tf_export

    name = tf_export.ESTIMATOR_API_NAME
    for table, ending in ((tf_export.API_ATTRS, ""), (tf_export.API_ATTRS_V1, "_v1")):
        assert set(table) >= {tf_export.TENSORFLOW_API_NAME, name}
        fields = type(table[tf_export.TENSORFLOW_API_NAME])._fields
        assert fields == ("names", "constants") and len(set(table.values())) == len(table)
        assert getattr(tf.estimator.Estimator, "_estimator_api_names" + ending) is not None


@needs_adapter
def test_the_package_asks_the_stand_in_for_no_more_than_it_has():
    stand_in = sys.modules[estimator_adapter.COORDINATION]
    from tensorflow_estimator.python.estimator import estimator, run_config

    asked = set()
    for module in (estimator, run_config):
        source = inspect.getsource(module)
        assert "import estimator_training as distribute_coordinator_training" in source
        asked.update(
            word.split("(")[0].split("\n")[0].strip()
            for word in source.split("distribute_coordinator_training.")[1:]
        )
    # The two that are called only where should_run_distribute_coordinator says yes.
    assert asked - set(vars(stand_in)) == {"estimator_train", "estimator_evaluate"}
    assert not stand_in.should_run_distribute_coordinator(tf.estimator.RunConfig())


@needs_adapter
def test_a_run_config_reads_its_cluster_and_stays_out_of_coordination(monkeypatch):
    alone = tf.estimator.RunConfig()
    assert (alone.task_type, alone.is_chief, alone.num_worker_replicas) == ("worker", True, 1)
    monkeypatch.setenv(
        "TF_CONFIG",
        '{"cluster": {"chief": ["a:1"], "worker": ["b:1", "c:1"]},'
        ' "task": {"type": "worker", "index": 1}}',
    )
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    for run in (tf.estimator.RunConfig(), tf.estimator.RunConfig(train_distribute=strategy)):
        assert (run.task_type, run.task_id, run.is_chief) == ("worker", 1, False)
        assert run.num_worker_replicas == 3
    assert run._distribute_coordinator_mode is None


def line(features, labels, mode):
    """y = a x + b by least squares."""
    with tf.variable_scope("line"):
        a = tf.get_variable("a", [], initializer=tf.zeros_initializer())
        b = tf.get_variable("b", [], initializer=tf.zeros_initializer())
    y = a * features + b
    if mode == tf.estimator.ModeKeys.PREDICT:
        return tf.estimator.EstimatorSpec(mode, predictions=y)
    loss = tf.reduce_mean(tf.square(y - labels))
    step = tf.train.GradientDescentOptimizer(0.1).minimize(loss, tf.train.get_global_step())
    return tf.estimator.EstimatorSpec(
        mode, loss=loss, train_op=step, eval_metric_ops={"mean": tf.metrics.mean(y)}
    )


def test_an_estimator_trains_goes_on_evaluates_and_predicts(tmp_path):
    x = np.array([-1.0, 0.0, 2.0], np.float32)

    def points():
        return tf.data.Dataset.from_tensors((x, 3 * x + 1)).repeat()

    run = tf.estimator.RunConfig(model_dir=str(tmp_path), save_checkpoints_steps=40)
    for steps in (40, 80):
        estimator = tf.estimator.Estimator(line, config=run)
        estimator.train(points, max_steps=steps)
    assert estimator.get_variable_value("global_step") == 80
    result = estimator.evaluate(points, steps=1)
    assert result["global_step"] == 80
    np.testing.assert_allclose([result["loss"], result["mean"]], [0, 2], atol=1e-3)
    # By hand: gradient descent from zero, in float64.
    a = b = 0.0
    for _ in range(80):
        error = a * x.astype(float) + b - (3 * x + 1)
        a, b = a - 0.2 * np.mean(error * x), b - 0.2 * np.mean(error)
    predicted = [value for value, _ in zip(estimator.predict(points), x)]
    np.testing.assert_allclose(predicted, a * x + b, rtol=1e-5, atol=1e-5)


@needs_adapter
def test_a_tensorflow_that_has_moved_on_is_one_sentence(monkeypatch):
    later = types.ModuleType("tensorflow")
    later.__version__ = "2.99.0"
    with monkeypatch.context() as patch:
        patch.setattr(estimator_adapter, "NAMES", {"Estimator": "gone"})
        with pytest.raises(UserError) as refused:
            estimator_adapter.provide(later)
    sentence = str(refused.value)
    assert "TensorFlow 2.99.0 does not work with tensorflow-estimator 2.15.0" in sentence
    assert "tensorflow==2.21.0" in sentence and "\n" not in sentence
    with monkeypatch.context() as patch:
        patch.setattr(estimator_adapter, "PACKAGE", "no_such_package")
        with pytest.raises(UserError, match="pip install --no-deps tensorflow-estimator==2.15.0"):
            estimator_adapter.provide(later)
    assert not hasattr(later, "estimator")
