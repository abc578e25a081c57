"""The test double refuses what the real npu_bridge was seen to refuse, build by build."""

import importlib
import inspect
import os

import pytest

from bsrn_estimator.compat import tf
from tests import npu_double

_PACKAGE = "npu_bridge.estimator.npu."


def symbol(module, name):
    return getattr(importlib.import_module(_PACKAGE + module), name)


def run_config(**arguments):
    return symbol("npu_config", "NPURunConfig")(**arguments)


def estimator(**arguments):
    return symbol("npu_estimator", "NPUEstimator")(**arguments)


def model_fn(features, labels, mode):
    raise AssertionError("not to be called")


@pytest.fixture(params=npu_double.BUILDS)
def build(request, install):
    install(request.param)
    os.environ.update(JOB_ID="1", RANK_SIZE="1")
    return request.param


def test_signatures_are_those_of_the_build(build):
    for name, entry in npu_double.signatures(build).items():
        if entry["kind"] == "class" and entry["params"]:
            constructor = getattr(importlib.import_module(entry["module"]), name).__init__
            made = list(inspect.signature(constructor).parameters.values())[1:]
            assert [p.name for p in made] == [p["name"] for p in entry["params"]]
            assert [str(p.kind.name) for p in made] == [p["kind"] for p in entry["params"]]


def test_unknown_keywords_are_type_errors(build):
    with pytest.raises(TypeError, match="device_fn"):
        run_config(device_fn=None)
    late = {"development": "aoe_mode", "r1.8.0": "jit_compile", "master": "auto_tune_mode"}[build]
    with pytest.raises(TypeError, match=late):
        run_config(**{late: None})


@pytest.mark.parametrize(
    "arguments, kind",
    [
        ({"iterations_per_loop": 0}, ValueError),
        ({"iterations_per_loop": "1"}, TypeError),
        ({"iterations_per_loop": 2.0}, TypeError),
        ({"mix_compile_mode": 1}, (ValueError, TypeError)),
        ({"mix_compile_mode": True, "iterations_per_loop": 2}, ValueError),
        ({"dump_config": "here"}, ValueError),
        ({"dynamic_input_config": "here"}, ValueError),
        ({"horovod_mode": 1}, ValueError),
        ({"graph_run_mode": 2}, ValueError),
        ({"save_checkpoints_steps": 3, "save_checkpoints_secs": 3}, ValueError),
        ({"save_checkpoints_steps": -1}, ValueError),
        ({"stream_max_parallel_num": 3}, TypeError),
    ],
)
def test_wrong_values_of_the_run_configuration(build, arguments, kind):
    with pytest.raises(kind):
        run_config(**arguments)


def test_defaults_differ_from_those_of_tensorflow(build):
    config = run_config()
    assert (config.save_summary_steps, config.save_checkpoints_steps) == (0, 100)
    assert run_config(save_checkpoints_steps=0).save_checkpoints_steps == 0
    assert run_config(precision_mode="nonsense") is not None


def test_a_cluster_is_taken_for_parameter_servers(build, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", '{"cluster": {"worker": ["a:1"]}}')
    with pytest.raises(ValueError, match="ps mode"):
        run_config()


def test_the_estimator_wants_its_own_configuration(build, tmp_path):
    for config in (None, tf.estimator.RunConfig()):
        with pytest.raises(ValueError, match="NPUConfigs"):
            estimator(model_fn=model_fn, config=config)
    with pytest.raises(ValueError):
        estimator(model_fn=model_fn, model_dir="/other", config=run_config(model_dir="/one"))


def test_the_job_has_to_be_named(build):
    del os.environ["JOB_ID"]
    kind = AttributeError if build == "development" else ValueError
    with pytest.raises(kind, match="job"):
        estimator(model_fn=model_fn, config=run_config())


def test_the_number_of_ranks_has_to_be_set_in_the_oldest_build(build, tmp_path):
    del os.environ["RANK_SIZE"]
    if build == "development":
        with pytest.raises(AttributeError, match="isdigit"):
            estimator(model_fn=model_fn, config=run_config())
    else:
        estimator(model_fn=model_fn, config=run_config(model_dir=str(tmp_path)))


def test_a_shared_session_configuration_gets_every_pass_twice(build, tmp_path):
    shared = tf.ConfigProto()
    for name in ("a", "b"):
        config = run_config(model_dir=str(tmp_path / name), session_config=shared)
        estimator(model_fn=model_fn, config=config)
    rewrite = shared.graph_options.rewrite_options
    assert len(rewrite.custom_optimizers) == 2
    assert list(rewrite.optimizers).count("GradFusionOptimizer") == 2


def test_loss_scale_managers(build):
    with pytest.raises(ValueError):
        symbol("npu_loss_scale_manager", "FixedLossScaleManager")(0.5)
    with tf.Graph().as_default():
        symbol("npu_loss_scale_manager", "ExponentialUpdateLossScaleManager")(2**32, 1000)
        assert {v.op.name for v in tf.global_variables()} == {
            "loss_scale",
            "good_steps",
            "bad_steps",
        }
        with pytest.raises(ValueError):
            symbol("npu_loss_scale_optimizer", "NPULossScaleOptimizer")("adam", None)


def test_wide_gradients_cannot_be_reduced(build, monkeypatch):
    monkeypatch.setenv("RANK_SIZE", "2")
    with tf.Graph().as_default():
        weight = tf.get_variable("weight", [2], tf.float64)
        optimizer = symbol("npu_optimizer", "NPUDistributedOptimizer")(
            tf.train.GradientDescentOptimizer(0.1)
        )
        with pytest.raises(TypeError, match="float64"):
            optimizer.compute_gradients(tf.reduce_sum(weight))
