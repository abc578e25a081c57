"""Paths that TensorFlow would take for patterns: their checkpoints are found, and theirs alone."""

import os
import shutil

import numpy as np
import pytest

from bsrn_estimator.checkpoints import contents, literal, reference, restoring, trained
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.compat import tf
from bsrn_estimator.platforms.base import Platform, RunOptions
from tests.support import golden

MULTI = golden.Golden("multi_scale")
ODD = [
    "run[1]",
    "a*b?c",
    "back\\slash",
    "[",
    "[]",
    "[!x]",
    "lauf \u00fc \u6a21\u578b [z]",
    b"no\xfftext",
]


def _odd_folder(tmp_path, name):
    folder = os.path.join(str(tmp_path), os.fsdecode(name))
    os.makedirs(folder)
    return folder


def _copy(folder, name="model.ckpt-7"):
    prefix = os.path.join(folder, name)
    for ending in (".index", ".data-00000-of-00001"):
        shutil.copyfile(MULTI.checkpoint + ending, prefix + ending)
    return prefix


def test_an_ordinary_path_stays_as_it_is(tmp_path):
    for path in ("", "runs/bsrn", str(tmp_path), "a]b", "lauf \u00fc"):
        assert literal.folder(path) == path
    assert literal.prefix("runs/model.ckpt-7") == "runs/model.ckpt-7"


@pytest.mark.parametrize("name", ODD)
def test_a_checkpoint_in_an_odd_folder_is_read(tmp_path, capsys, name):
    folder = _odd_folder(tmp_path, name)
    prefix = _copy(folder)
    assert checkpoint_files.resolve(folder) == checkpoint_files.adopt_newest_whole(folder) == prefix
    assert checkpoint_files.adopted(folder) == prefix
    assert contents.describe(prefix).scales == (2, 3, 4, 8)
    network = trained.TrainedNetwork(prefix, MULTI.network)
    assert network.identity() == trained.TrainedNetwork(MULTI.checkpoint, MULTI.network).identity()
    assert capsys.readouterr().err == ""
    with tf.Graph().as_default():
        MULTI.network.results(tf.zeros([1, 4, 4, 3]), 2, False)
        with network.session() as session:
            (weight,) = [v for v in tf.trainable_variables() if "first_conv/conv2d/k" in v.name]
            expected = tf.train.load_variable(MULTI.checkpoint, weight.op.name)
            np.testing.assert_array_equal(session.run(weight), expected)


@pytest.mark.parametrize("name", ["best[1].ckpt", "what?", "x*"])
def test_a_checkpoint_of_an_odd_name_is_read_and_written(tmp_path, name):
    prefix = _copy(str(tmp_path), name)
    assert checkpoint_files.resolve(prefix) == prefix
    out = str(tmp_path / "out[2]" / name)
    reference.write_reference(prefix, out)
    assert contents.describe(out).shapes == contents.describe(MULTI.checkpoint).shapes


def test_the_files_of_another_folder_that_the_pattern_fits_are_not_meant(tmp_path):
    odd, other = _odd_folder(tmp_path, "run[1]"), _odd_folder(tmp_path, "run1")
    _copy(other)
    assert checkpoint_files.newest_whole(odd) is None
    assert checkpoint_files.adopted(odd) is None


def _count_up(features, labels, mode):
    weight = tf.get_variable("weight", [], initializer=tf.zeros_initializer())
    step = tf.train.get_global_step()
    train_op = tf.group(tf.assign_add(step, 1), tf.assign_add(weight, features["x"]))
    return tf.estimator.EstimatorSpec(mode, loss=weight + 1.0, train_op=train_op)


@pytest.mark.parametrize("name", ODD)
def test_an_estimator_goes_on_and_removes_its_own_checkpoints_only(tmp_path, name):
    folder = _odd_folder(tmp_path, name)
    neighbours = [_odd_folder(tmp_path, neighbour) for neighbour in ("run1", "axbyc")]
    kept = [_copy(neighbour, "model.ckpt-1") for neighbour in neighbours]
    run = RunOptions(model_dir=folder, save_checkpoints_steps=1, keep_checkpoint_max=2)

    def read():
        return tf.data.Dataset.from_tensors({"x": tf.constant(2.0)}).repeat()

    for steps in (2, 5):
        Platform().training_estimator(_count_up, run).train(read, max_steps=steps)
    newest = checkpoint_files.adopted(folder)
    assert newest == os.path.join(folder, "model.ckpt-5")
    assert literal.reader(newest).get_tensor("weight") == 10
    steps = [os.path.basename(path) for path in checkpoint_files.checkpoints_in(folder)]
    assert steps == ["model.ckpt-5", "model.ckpt-4"]
    assert all(checkpoint_files.exists(prefix) for prefix in kept)


def test_a_folder_that_took_the_place_of_another_is_the_one_that_is_meant(tmp_path):
    folder = _odd_folder(tmp_path, "best[1]")
    _copy(folder, "model.ckpt-1")
    assert checkpoint_files.resolve(folder).endswith("ckpt-1")
    os.rename(folder, folder + ".former")
    os.makedirs(folder)
    _copy(folder, "model.ckpt-2")
    prefix = checkpoint_files.resolve(folder)
    assert prefix.endswith("ckpt-2") and contents.describe(prefix).scales == (2, 3, 4, 8)


def test_first_weights_from_an_odd_folder(tmp_path):
    prefix = _copy(_odd_folder(tmp_path, "x[2]"))
    start = restoring.initial_weights(prefix, MULTI.network)
    with tf.Graph().as_default(), tf.Session() as session:
        MULTI.network.results(tf.zeros([1, 4, 4, 3]), 2, False)
        start()
        session.run(tf.global_variables_initializer())
        (weight,) = [v for v in tf.trainable_variables() if "first_conv/conv2d/k" in v.name]
        expected = tf.train.load_variable(MULTI.checkpoint, weight.op.name)
        np.testing.assert_array_equal(session.run(weight), expected)
