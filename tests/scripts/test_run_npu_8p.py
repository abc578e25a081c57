"""The launch of several ranks by its script: two real processes train one network."""

import glob
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.data import input_fn, sampling
from bsrn_estimator.networks import losses
from tests import npu_double
from tests.bsrn_estimator.platforms.npu.test_rank_table import table
from tests.support import tiny

_CONFIG = tiny.config(
    scales=(2, 3),
    conv_features=3,
    state_features=2,
    recursions=1,
    batch_size=2,
    patch_size=5,
    scale_schedule="joint",
    clip_norm=0.5,
)


@pytest.fixture(scope="module")
def setting(root, tmp_path_factory):
    """What both ranks need: records, rank table, the double; and a function that starts them."""
    folder = tmp_path_factory.mktemp("ranks")
    data = tiny.write_records(folder / "train", "training", [(40, 50), (37, 45), (48, 48)], (2, 3))
    test = tiny.write_records(folder / "test", "evaluation", [(25, 31)], (2, 3))
    (folder / "ranks.json").write_text(json.dumps(table(ranks=2)))
    double = npu_double.build("r1.8.0", str(folder / "double"))
    network = {
        name: getattr(_CONFIG.recipe, name) for name in ("batch_size", "patch_size", "clip_norm")
    }
    network.update(conv_features=3, state_features=2, recursions=1, scales="2,3")

    (folder / "servers.json").write_text(json.dumps(table(ranks=1, servers=2)))

    def start(name, steps, *further, server=None, **variables):
        """Starts the script, on the one server of a table, or as one of the two of another."""
        exchange = folder / (name + "-exchange")
        exchange.mkdir(exist_ok=True)
        environ = dict(os.environ, PYTHON=sys.executable, PYTHONPATH=double)
        environ.update(NPU_DOUBLE_EXCHANGE=str(exchange), **variables)
        command = ["bash", str(root / "scripts" / "run_npu_8p.sh"), "--ranks=2"]
        if server is None:
            command += ["--rank_table=%s" % (folder / "ranks.json")]
            command += ["--log_dir=%s" % (folder / (name + "-logs"))]
        else:
            command += ["--rank_table=%s" % (folder / "servers.json"), "--server_id=" + server]
            command += ["--log_dir=%s" % (folder / (name + "-logs-" + server))]
        command += ["--", "--mode=train"]
        command += ["--eval_data_dir=" + test]
        command += ["--%s=%s" % pair for pair in network.items()]
        command += ["--data_dir=" + data, "--model_dir=%s" % (folder / name), "--log_steps=1"]
        command += ["--train_steps=%d" % steps, "--save_checkpoints_steps=1"]
        command += ["--evaluation_steps=1", "--summary_steps=1"] + list(further)
        process = subprocess.Popen(
            command,
            cwd=str(folder),
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            universal_newlines=True,
        )
        return process, folder / name

    start.data = data
    return start


def _tensors(model_dir, step):
    return tf.train.load_checkpoint(str(model_dir / ("model.ckpt-%d" % step)))


def _mean_gradients(data, model_dir):
    """Mean over two ranks of the gradients at the first weights, computed without npu_bridge."""
    found = []
    for rank in range(2):
        with tf.Graph().as_default(), tf.Session() as session:
            read = input_fn.training_input_fn(
                data, _CONFIG.network.scales, _CONFIG.recipe, rank=rank, rank_size=2
            )
            iterator = tf.data.make_initializable_iterator(read())
            features, labels = iterator.get_next()
            loss, _ = losses.joint_loss(features, labels, _CONFIG.network)
            weights = tf.trainable_variables()
            gradients = tf.gradients(loss, weights)
            session.run(iterator.initializer)
            first = _tensors(model_dir, 0)
            for weight in weights:
                weight.load(first.get_tensor(weight.op.name), session)
            values, key = session.run([gradients, features["key"]])
            found.append((dict(zip([w.op.name for w in weights], values)), key))
    assert not np.array_equal(found[0][1], found[1][1])
    return {name: (found[0][0][name] + found[1][0][name]) / 2 for name in found[0][0]}


@pytest.fixture(scope="module")
def both(setting):
    """The model folder of two ranks of one server after two steps."""
    process, model_dir = setting("both", 2)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    assert "step 2 of 2" in output
    return model_dir


def test_two_servers_with_a_rank_each_train_the_same_network(setting, both):
    servers = ["10.0.0.0", "10.0.0.1"]
    started = [setting("servers", 2, server=server) for server in servers]
    for process, _ in started:
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, output + errors
    model_dir = started[0][1]
    logs = [os.listdir(str(both.parent / ("servers-logs-" + server))) for server in servers]
    assert logs == [["rank_0.log"], ["rank_1.log"]]
    one, other = _tensors(both, 2), _tensors(model_dir, 2)
    names = sorted(one.get_variable_to_shape_map())
    assert names == sorted(other.get_variable_to_shape_map())
    for name in names:
        np.testing.assert_array_equal(one.get_tensor(name), other.get_tensor(name), name)


def test_a_server_that_is_not_told_or_not_listed_starts_nothing(setting):
    for server, said in (("", "does not list --server_id="), ("10.0.0.7", "does not list")):
        process, _ = setting("nowhere", 1, server=server)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 2 and errors.count("\n") == 1
        assert said in errors or "say which one this is with --server_id" in errors


def test_two_ranks_train_one_network(setting, both):
    model_dir = both
    second_log = (model_dir.parent / "both-logs" / "rank_1.log").read_text()
    assert "step 2 of 2" in second_log
    # Both ranks made the same two steps, and one of them wrote.
    assert len(glob.glob(str(model_dir / "events.*"))) == 1
    state = tf.train.get_checkpoint_state(str(model_dir))
    assert [os.path.basename(path) for path in state.all_model_checkpoint_paths] == [
        "model.ckpt-0",
        "model.ckpt-1",
        "model.ckpt-2",
    ]
    # Adam's first moment after one step is a tenth of the gradient: averaged, then clipped.
    trained = _tensors(model_dir, 1)
    for name, gradient in _mean_gradients(setting.data, model_dir).items():
        clipped = gradient * min(1.0, _CONFIG.recipe.clip_norm / np.linalg.norm(gradient))
        np.testing.assert_allclose(
            trained.get_tensor(name + "/Adam"), 0.1 * clipped, rtol=1e-4, atol=1e-6, err_msg=name
        )


def test_rank_0_says_when_the_others_wait_long_for_its_evaluation(setting):
    # Half a second: an evaluation has a session of its own to start.
    process, model_dir = setting("waiting", 1, "--mode=train_and_evaluate", HCCL_EXEC_TIMEOUT="1")
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    logs = model_dir.parent / "waiting-logs"
    said = [(logs / ("rank_%d.log" % rank)).read_text() for rank in range(2)]
    assert "the other ranks give up after 1 s: set HCCL_EXEC_TIMEOUT" in said[0]
    assert "HCCL_EXEC_TIMEOUT" not in said[1]


def test_a_wrong_rank_table_starts_nothing(setting, root, tmp_path):
    wrong = table(ranks=2)
    wrong["server_list"][0]["device"][1]["rank_id"] = "0"
    (tmp_path / "wrong.json").write_text(json.dumps(wrong))
    done = subprocess.run(
        [
            "bash",
            str(root / "scripts" / "run_npu_8p.sh"),
            "--ranks=2",
            "--rank_table=%s" % (tmp_path / "wrong.json"),
        ],
        cwd=str(tmp_path),
        env=dict(os.environ, PYTHON=sys.executable),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: rank table") and "each of the ranks 0 to 1" in done.stderr
    assert os.listdir(str(tmp_path)) == ["wrong.json"]


@pytest.mark.parametrize("rank_size", [2, 8])
@pytest.mark.parametrize("records", [7, 24])
def test_ranks_share_out_the_records(rank_size, records):
    """Of the visits that one process would make, each is made by one rank."""
    common = dict(
        seed=3, scale=2, records=records, batch_size=2, patches_per_tile=1, groups_in_play=1
    )
    streams = [
        sampling.Stream(rank=rank, rank_size=rank_size, **common) for rank in range(rank_size)
    ]
    # As many visits a rank as make whole epochs for all of them together.
    visits = [[stream.visit(number) for number in range(records)] for stream in streams]
    assert sorted(sum(visits, [])) == list(range(rank_size * records))
    read = [stream.record(visit) for stream, own in zip(streams, visits) for visit in own]
    assert sorted(read) == sorted(rank_size * list(range(records)))
