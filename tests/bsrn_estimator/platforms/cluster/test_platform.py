"""Several processes that train one network, against one process of the same total batch."""

import glob
import os
import shutil

import numpy as np
import pytest

from bsrn_estimator.platforms.cpu import has_bfloat16
from tests.reliability.commands import assert_same_weights, curves, weights
from tests.support import several, tiny

STEPS = 4
TWO = several.tf_config(["127.0.0.1:1", "127.0.0.1:2"], 0)


def _begin_as(folder, other) -> None:
    """Gives a new folder the first checkpoint of another, so that both have one start."""
    folder.mkdir()
    for path in glob.glob(str(other / "model.ckpt-0.*")):
        shutil.copy(path, str(folder))


def _assert_close(one, other, weight=2e-5, loss=1e-4) -> None:
    found, expected = curves(one)["loss/total"], curves(other)["loss/total"]
    assert sorted(found) == sorted(expected) == list(range(1, STEPS + 1))
    for step in expected:
        np.testing.assert_allclose(found[step], expected[step], rtol=loss)
    found, expected = weights(one), weights(other)
    assert set(found) == set(expected)
    for name, value in expected.items():
        # Adam divides by the root of the second moment, which is all but zero for some.
        np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=weight, err_msg=name)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "count, more",
    [
        (2, ["--scale_schedule=random", "--clip_norm=0.5", "--ema_decay=0.9"]),
        (3, ["--scale_schedule=joint", "--clip_norm=5"]),
    ],
)
def test_processes_train_as_one_of_their_total_batch(processes, flags, tmp_path, count, more):
    together, one = tmp_path / "together", tmp_path / "one"
    more = more + ["--train_steps=%d" % STEPS, "--save_checkpoints_steps=2"]
    small = ["--batch_size=2", "--model_dir=%s" % together]
    done = processes.run(count, *flags, *more, *small)
    assert [each.status for each in done] == [0] * count, done
    assert all("Traceback" not in each.errors for each in done), done
    _begin_as(one, together)
    total = "--batch_size=%d" % (2 * count)
    done = processes.alone(*flags, *more, total, "--model_dir=%s" % one)
    assert done.status == 0, done
    _assert_close(together, one)
    # The chief alone wrote.
    assert len(glob.glob(str(together / "events*"))) == 1
    assert not [name for name in os.listdir(str(together)) if name.startswith((".company", "tmp"))]


@pytest.mark.timeout(900)
def test_processes_go_on_as_if_they_had_not_stopped(processes, flags, tmp_path):
    """To the bit; in bfloat16 where the CPU has it, and of workers alone."""
    flags = flags + ["--batch_size=2", "--threads=1", "--save_checkpoints_steps=2"]
    flags += ["--mixed_precision"] if has_bfloat16() else []
    for name, ends in (("whole", [4]), ("parts", [2, 4])):
        for end in ends:
            more = ["--train_steps=%d" % end, "--model_dir=%s" % (tmp_path / name)]
            done = processes.run(2, *flags, *more, chief=False)
            assert [each.status for each in done] == [0, 0], done
    assert_same_weights(tmp_path / "whole", tmp_path / "parts")


def _refused(done, sentence) -> None:
    assert all(each.status not in (0, None) for each in done), done
    for each in done:
        assert sentence in each.errors and each.errors.count("\n") == 1, done


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "of_worker, sentence",
    [
        (["--seed=7"], "has seed 7, and the chief 1"),
        (["--train_steps=9"], "has train_steps 9, and the chief 4"),
    ],
)
def test_processes_of_other_flags_are_refused(processes, flags, tmp_path, of_worker, sentence):
    flags = flags + ["--train_steps=4", "--model_dir=%s" % tmp_path]
    _refused(processes.run(2, *flags, own=[[], of_worker]), sentence)
    assert sorted(os.listdir(str(tmp_path))) == [".lock"]


@pytest.mark.timeout(900)
def test_a_model_folder_of_ones_own_is_refused(processes, flags, tmp_path):
    own = [["--model_dir=%s" % (tmp_path / name)] for name in ("chief", "worker")]
    done = processes.run(2, *flags, "--train_steps=4", own=own)
    _refused(done, "does not see the chief's --model_dir=%s" % (tmp_path / "chief"))


@pytest.mark.timeout(900)
def test_a_chief_without_workers_and_a_worker_without_chief_end(processes, flags, tmp_path):
    """What hung for ever before."""
    flags = flags + ["--peer_timeout=5", "--model_dir=%s" % tmp_path]
    addresses = several.free_addresses(2)
    for rank, name in enumerate(("worker 0", "chief")):
        config = several.tf_config(addresses, rank)
        done = processes.alone(*flags, TF_CONFIG=config)
        assert done.status == 2 and done.seconds < 60, done
        assert "error: %s (%s) did not come" % (name, addresses[1 - rank]) in done.errors, done


def test_other_uses_of_tf_config(processes, flags, tmp_path):
    flags = flags + ["--train_steps=1", "--model_dir=%s" % tmp_path]
    evaluator = '{"cluster": {"chief": ["a:1"]}, "task": {"type": "evaluator"}}'
    done = processes.alone(*flags, "--mode=train_and_evaluate", TF_CONFIG=evaluator)
    assert done.status == 2 and "give every task --mode=train" in done.errors, done
    done = processes.alone(*flags, "--communication=nccl", TF_CONFIG=TWO)
    assert done.status == 2 and "--communication=nccl is between GPUs" in done.errors, done
    alone = '{"cluster": {"chief": ["a:1"]}, "task": {"type": "chief", "index": 0}}'
    done = processes.alone(*flags, TF_CONFIG=alone)
    assert done.status == 0 and "is trained to step 1" in done.output, done
    data = tiny.write_records(tmp_path / "set", "evaluation", [(24, 30)], scales=(2, 3))
    done = processes.alone(*flags, "--eval_data_dir=" + data, TF_CONFIG=evaluator)
    assert done.status == 0, done
    assert os.path.isfile(str(tmp_path / "evaluation" / "step-1" / "table.md"))
