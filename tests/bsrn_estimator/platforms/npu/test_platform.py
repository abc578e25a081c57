"""Training for the NPU under the test double of each build, by the real command line."""

import glob
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.base import RunOptions
from bsrn_estimator.platforms.cpu import CpuPlatform
from bsrn_estimator.platforms.npu import bridge
from bsrn_estimator.platforms.npu.environment import Ranks
from bsrn_estimator.platforms.npu.options import NpuOptions
from bsrn_estimator.platforms.npu.platform import NpuPlatform
from tests import npu_double
from tests.support import in_process, tiny

_SMALLER = ["--recursions=2", "--patch_size=5"]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The flags of tiny training and evaluation records."""
    folder = tmp_path_factory.mktemp("records")
    train = tiny.write_records(folder / "train", "training", [(61, 50), (37, 75), (48, 48)])
    test = tiny.write_records(folder / "test", "evaluation", [(25, 31)])
    return ["--data_dir=" + train, "--eval_data_dir=" + test, "--scales=2,3"] + _SMALLER


def command(arguments):
    """The command line in this process; returns its exit status."""
    return in_process.run(["--use_npu"] + arguments)


@pytest.fixture
def train(data, tmp_path):
    """Trains to a step with further flags; returns (exit status, model folder)."""

    def to(step, *further, folder="run"):
        model_dir = tmp_path / folder
        run = ["--mode=train", "--model_dir=%s" % model_dir, "--train_steps=%d" % step]
        steps = ["--save_checkpoints_steps=2", "--evaluation_steps=2", "--summary_steps=1"]
        return command(tiny.NETWORK_FLAGS + data + steps + run + list(further)), str(model_dir)

    return to


def curves(model_dir):
    """{name: [(step, value), ...]} of what training wrote."""
    found = {}
    for path in sorted(glob.glob(os.path.join(model_dir, "events.*"))):
        for event in tf.train.summary_iterator(path):
            for value in event.summary.value:
                found.setdefault(value.tag, []).append((event.step, value.simple_value))
    return found


def weights(model_dir):
    """{name: value} of the newest checkpoint."""
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(model_dir))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


@pytest.mark.parametrize("build", npu_double.BUILDS)
def test_trains_saves_resumes_evaluates_and_exports(build, install, train, data, tmp_path, capsys):
    recorded = install(build)
    status, model_dir = train(2, "--mode=train_and_evaluate")
    assert status == 0
    # A later run of the command is another process.
    install(build)
    assert train(4)[0] == 0
    assert tf.train.latest_checkpoint(model_dir).endswith("model.ckpt-4")
    for line, runs in zip(recorded(), (2, 2)):
        assert (line["kind"], line["runs"], line["fetch_sets"]) == ("train", runs, 1)
        assert line["custom_optimizers"] == ["NpuOptimizer"]
        assert line["given"]["precision_mode"] == "allow_mix_precision"
        assert line["given"]["enable_data_pre_proc"] is True
    # Evaluation made no session on the device: neither beside training, nor by itself.
    assert len(recorded()) == 2
    metrics = os.path.join(model_dir, "evaluation", "step-%d", "test", "metrics.json")
    assert os.path.exists(metrics % 2) and not os.path.exists(metrics % 4)
    assert command(["--mode=evaluate", "--model_dir=" + model_dir] + data) == 0
    with open(metrics % 4) as file:
        assert sorted(json.load(file)["scales"]) == ["2", "3"]
    export = ["--mode=export", "--export_format=frozen", "--export_size=9,8", "--scales=3"]
    folder = str(tmp_path / "export")
    assert command(export + ["--model_dir=" + model_dir, "--export_dir=" + folder]) == 0
    assert os.path.exists(os.path.join(folder, "bsrn_x3_9x8.pb"))


def test_loss_scaling_changes_no_number(install, train):
    install("r1.8.0")
    plain, fixed, dynamic = [
        weights(train(3, "--scales=2", "--loss_scale=" + scale, folder=scale[:5])[1])
        for scale in ("none", "fixed:1024", "dynamic")
    ]
    assert set(plain) == set(fixed)
    assert set(dynamic) - set(plain) == {"loss_scale", "good_steps", "bad_steps"}
    assert plain["global_step"] == fixed["global_step"] == dynamic["global_step"] == 3
    for name, value in plain.items():
        # Powers of two round nothing, short of the smallest numbers.
        np.testing.assert_allclose(fixed[name], value, rtol=1e-6, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(dynamic[name], value, rtol=1e-6, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("build", npu_double.BUILDS)
def test_the_state_of_loss_scaling_waits_for_no_step(build, install):
    install(build)
    with tf.Graph().as_default(), tf.Session() as session:
        step = tf.train.get_or_create_global_step()
        weight = tf.get_variable("weight", [3])
        with tf.control_dependencies([step + 1]):
            platform = NpuPlatform(NpuOptions(loss_scale="dynamic"))
            optimizer = platform.wrap_optimizer(tf.train.AdamOptimizer())
            optimizer.apply_gradients(optimizer.compute_gradients(tf.reduce_sum(weight)), step)
        for variable in tf.global_variables():
            if variable is not step:
                session.run(variable.initializer)
        session.run(step.initializer)
        assert session.run(platform.scalars()["loss_scale"]) == 2.0**16


def test_a_step_that_overflows_is_made_again(install, train):
    recorded = install("master")
    os.environ["NPU_DOUBLE_OVERFLOW_EVERY"] = "2"
    _, model_dir = train(4, "--scales=2", "--loss_scale=dynamic")
    assert recorded()[0]["runs"] == 7
    final = weights(model_dir)
    assert final["global_step"] == 4
    # Three overflows: the scale is halved at the second.
    assert final["loss_scale"] == 2.0**15
    points = curves(model_dir)
    # A step that was skipped has no point of its own: each number comes once.
    assert [step for step, _ in points["loss/total"]] == [1, 2, 3, 4]
    assert points["skipped_steps"][-1] == (4, 3.0)
    assert points["loss_scale"][-1][1] in (2.0**15, 2.0**16)


def test_a_card_without_a_flag_finds_overflows_in_the_gradients(install):
    install("master")
    os.environ["NPU_DOUBLE_INF_NAN"] = "1"
    # Of the other mode: not looked at.
    os.environ["NPU_DOUBLE_OVERFLOW_EVERY"] = "1"
    with tf.Graph().as_default(), tf.Session() as session:
        step = tf.train.get_or_create_global_step()
        weight = tf.get_variable("weight", [3], initializer=tf.zeros_initializer())
        slope = tf.placeholder(tf.float32, [])
        platform = NpuPlatform(NpuOptions(loss_scale="dynamic"))
        optimizer = platform.wrap_optimizer(tf.train.GradientDescentOptimizer(1.0))
        pairs = optimizer.compute_gradients(tf.reduce_sum(weight * slope))
        made = optimizer.apply_gradients(pairs, step)
        session.run(tf.global_variables_initializer())
        seen = []
        for value in (2.0, np.inf, np.nan, 3.0):
            session.run(made, {slope: value})
            scale = session.run(platform.scalars()["loss_scale"])
            seen.append((session.run(step), session.run(weight).tolist(), scale))
    assert seen == [
        (1, [-2.0] * 3, 2.0**16),
        (1, [-2.0] * 3, 2.0**16),
        (1, [-2.0] * 3, 2.0**15),
        (2, [-5.0] * 3, 2.0**15),
    ]


def test_overflows_without_end_end_training(install, train, capsys):
    install("r1.8.0")
    os.environ["NPU_DOUBLE_OVERFLOW_EVERY"] = "1"
    status, model_dir = train(4, "--scales=2", "--max_skipped_steps=12", "--log_steps=1")
    said = capsys.readouterr()
    assert status == 1 and weights(model_dir)["global_step"] == 0
    assert "after step 0, 12 steps in a row overflowed float16" in said.err
    assert said.err.count("error: ") == 1 and "Traceback" not in said.err
    assert "the 10 steps after it overflowed and were skipped; the loss scale is" in said.out
    assert "loss " not in said.out.replace("loss scale", "")


def test_loops_with_overflows_end_late_and_say_so(install, train, capsys):
    install("master")
    os.environ["NPU_DOUBLE_OVERFLOW_EVERY"] = "4"
    flags = ["--scales=2", "--iterations_per_loop=2", "--log_steps=1"]
    status, model_dir = train(4, *flags)
    output = capsys.readouterr().out
    assert status == 0 and weights(model_dir)["global_step"] == 5
    assert "-1 d" not in output and "step 5 of 4" in output and "0.0 s left" in output
    assert dict(curves(model_dir)["skipped_steps"])[5] == 1


@pytest.mark.parametrize("schedule", ["joint", "random"])
def test_the_unit_of_features_changes_no_number(install, schedule):
    install("master")
    config = tiny.config(
        scales=(3,), conv_features=5, state_features=3, recursions=3, scale_schedule=schedule
    )
    hr = tiny.picture(1, 21, 24)[np.newaxis]
    lr = hr[:, ::3, ::3]
    labels = {"hr": hr, "hr_x3": hr}
    found = []
    for platform in (CpuPlatform(), NpuPlatform(NpuOptions())):
        with tf.Graph().as_default(), tf.Session() as session:
            tf.set_random_seed(3)
            with platform.network_scope(config.network):
                loss, _ = config.network.loss(
                    {"lr": tf.constant(lr)}, labels, schedule, platform.loss_scope, platform.unit
                )
            trained = tf.trainable_variables()
            random = np.random.RandomState(5)
            for variable in trained:
                # First biases are zeros, and would hide a unit of theirs that is wrong.
                variable.load(random.uniform(-0.3, 0.3, variable.shape.as_list()), session)
            found.append(session.run([loss] + tf.gradients(loss, trained)))
            names = [variable.op.name for variable in trained]
    assert found[0][0] == found[1][0] and len(names) == len(found[0]) - 1 > 10
    for name, plain, scaled in zip(names, found[0][1:], found[1][1:]):
        largest = np.abs(plain).max()
        assert largest > 0
        np.testing.assert_allclose(scaled, plain, rtol=1e-5, atol=1e-6 * largest, err_msg=name)


def test_weights_that_are_not_finite_do_not_stay(install, train, monkeypatch, capsys):
    recorded = install("r1.8.0")
    status, model_dir = train(2, "--scales=2")
    assert status == 0
    # No graph of its own looks at the weights: each would be compiled.
    assert recorded()[0]["others"] == []
    install("r1.8.0")
    real = tf.train.Saver.save

    def save(saver, session, *args, **kwargs):
        name = "generator/first_conv/conv2d/bias"
        (bias,) = [variable for variable in tf.global_variables() if variable.op.name == name]
        # The first is what was restored, written once more.
        if kwargs["global_step"] > 2:
            bias.load(np.full([5], np.nan, np.float32), session)
        return real(saver, session, *args, **kwargs)

    monkeypatch.setattr(tf.train.Saver, "save", save)
    assert train(4, "--scales=2")[0] == 1
    assert "first_conv/conv2d/bias is not finite" in capsys.readouterr().err
    monkeypatch.undo()
    assert tf.train.latest_checkpoint(model_dir).endswith("model.ckpt-2")
    assert not os.path.exists(os.path.join(model_dir, "model.ckpt-4.index"))


def test_what_ascend_logs_reaches_the_terminal(doubles, data, tmp_path, root):
    run = ["--use_npu", "--mode=train", "--train_steps=1", "--model_dir=%s" % (tmp_path / "run")]
    environ = dict(os.environ, PYTHONPATH=doubles["r1.8.0"])
    environ.pop("TF_CPP_MIN_LOG_LEVEL", None)
    done = subprocess.run(
        [sys.executable, "-m", "bsrn_estimator.main"] + tiny.NETWORK_FLAGS + data + run,
        env=environ,
        cwd=str(root),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "The model has been compiled on the Ascend AI processor" in done.stderr


def test_flag_files_for_other_devices_name_the_one_for_this(install, train, root, capsys):
    install("master")
    for name in ("paper", "small", "pretrained"):
        assert train(2, "--flagfile=%s" % (root / "configs" / (name + ".flags")))[0] == 2
        assert "configs/npu.flags" in capsys.readouterr().err, name


def test_the_flag_file_for_the_npu(install, train, root):
    recorded = install("master")
    flags = "--flagfile=%s" % (root / "configs" / "npu.flags")
    smaller = ["--scales=2", "--train_steps=2"]
    assert train(2, flags, *(tiny.NETWORK_FLAGS + _SMALLER + smaller))[0] == 0
    assert recorded()[0]["given"]["precision_mode"] == "allow_mix_precision"


def test_a_package_of_cann_that_is_missing_is_told(doubles, install, monkeypatch, tmp_path):
    install("master")
    broken = tmp_path / "without_hccl"
    shutil.copytree(os.path.join(doubles["master"], "npu_bridge"), str(broken / "npu_bridge"))
    others = [path for path in sys.path if path not in doubles.values()]
    monkeypatch.setattr(sys, "path", [str(broken)] + others)
    for name in [n for n in sys.modules if n.split(".")[0] in ("npu_bridge", "hccl")]:
        del sys.modules[name]
    with pytest.raises(UserError, match="package hccl.*set_env.sh of CANN as a whole"):
        bridge.symbol("NPUEstimator")


def test_dynamic_scaling_cannot_begin_in_an_old_run(install, train, capsys):
    install("master")
    train(2, "--scales=2", "--loss_scale=none")
    assert train(4, "--scales=2", "--loss_scale=dynamic")[0] == 2
    assert "without --loss_scale=dynamic" in capsys.readouterr().err


def test_steps_in_loops_on_the_device(install, train, capsys):
    recorded = install("development")
    status, model_dir = train(4, "--scales=2", "--iterations_per_loop=2", "--log_steps=1")
    assert status == 0
    assert (recorded()[0]["runs"], recorded()[0]["fetch_sets"]) == (2, 1)
    assert weights(model_dir)["global_step"] == 4
    output = capsys.readouterr().out
    assert "step 2 of 4" in output and "step 4 of 4" in output and "step 3 of 4" not in output
    one_by_one = weights(train(4, "--scales=2", folder="single")[1])
    for name, value in weights(model_dir).items():
        np.testing.assert_allclose(value, one_by_one[name], rtol=1e-5, atol=1e-7, err_msg=name)
    assert train(7, "--scales=2", "--iterations_per_loop=2")[0] == 2
    assert "--train_steps=6 or 8 or --iterations_per_loop=1 or 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    "further, said",
    [
        (["--scale_schedule=random"], "cannot be trained on the NPU"),
        (["--aoe_mode=2", "--tuning_dir=tuned"], "no aoe_mode"),
        (["--precision_mode=force_fp32"], "--precision_mode=force_fp32"),
        (["--profiling_dir=/proc/none"], "--profiling_dir=/proc/none"),
        (["--replicas=2"], "run_npu_8p.sh"),
    ],
)
def test_refusals_before_a_session_starts(install, train, capsys, monkeypatch, further, said):
    recorded = install("development")
    monkeypatch.chdir(os.path.dirname(os.environ["NPU_DOUBLE_RECORD"]))
    assert train(2, *further)[0] == 2
    assert said in capsys.readouterr().err
    with pytest.raises(FileNotFoundError):
        recorded()


def test_diagnosis_reaches_the_device(install, train, tmp_path):
    recorded = install("development")
    folder = str(tmp_path / "dump")
    assert train(2, "--scales=2", "--overflow_dump_dir=" + folder, "--device_id=3")[0] == 0
    given = recorded()[0]["given"]
    assert given["dump_config"]["dump_path"] == folder
    assert given["session_device_id"] == 3


def test_other_ranks_write_nothing(install, tmp_path):
    install("r1.8.0")
    os.environ.update(JOB_ID="1", RANK_SIZE="2", RANK_ID="1")
    platform = NpuPlatform(NpuOptions(), Ranks(1, 2))
    estimator = platform.training_estimator(lambda features: None, RunOptions(str(tmp_path)))
    assert estimator.config.save_checkpoints_steps == 0
    assert estimator.config.save_summary_steps == 0
    assert estimator.config.log_step_count_steps is None


def test_evaluation_is_a_plain_estimator_on_the_host(install, tmp_path):
    install("master")
    platform = NpuPlatform(NpuOptions())
    os.environ.update(JOB_ID="1", RANK_SIZE="1")
    options = RunOptions(str(tmp_path))
    platform.training_estimator(lambda features: None, options)
    evaluating = platform.evaluation_estimator(lambda features: None, options)
    assert type(evaluating) is tf.estimator.Estimator or type(evaluating).__mro__[1] is object
    session = evaluating.config.session_config
    assert not session.graph_options.rewrite_options.custom_optimizers
    assert session.device_count["GPU"] == 0


def test_the_loss_keeps_its_type_under_mixed_precision(install):
    install("development")
    with tf.Graph().as_default():
        with NpuPlatform(NpuOptions()).loss_scope():
            inside = tf.constant(1.0)
        outside = tf.constant(1.0)
        assert inside.op.get_attr("_keep_dtype")
        with pytest.raises(ValueError):
            outside.op.get_attr("_keep_dtype")


def test_without_npu_bridge_one_sentence_says_what_to_do(clean_environment, train, capsys):
    assert train(2)[0] == 2
    warning, error = capsys.readouterr().err.split("error: ")
    assert warning.startswith("warning: --mode=train does not read --evaluation_steps")
    assert "npu_bridge, which is not installed" in error and "CANN" in error
    assert error.count("\n") == 1


def test_a_native_part_that_does_not_load_is_told(clean_environment, monkeypatch, tmp_path):
    package = tmp_path / "npu_bridge"
    package.mkdir()
    (package / "__init__.py").write_text("from npu_bridge import npu_bridge_handle\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UserError, match="does not load .*npu_bridge_handle.*set_env.sh"):
        bridge.symbol("NPUEstimator")
    sys.modules.pop("npu_bridge", None)
