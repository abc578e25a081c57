"""Checkpoints written in the form of the reference implementation."""

import os

import numpy as np

from bsrn_estimator.checkpoints import __main__ as checkpoint_command
from bsrn_estimator.compat import tf
from tests.support import checkpoints, golden

MULTI = golden.Golden("multi_scale")


def test_round_trip_through_a_saver_of_the_reference_names(tmp_path):
    out = str(tmp_path / "new" / "model.ckpt")
    assert checkpoint_command.main(["write", MULTI.checkpoint, out]) == 0
    with tf.Graph().as_default(), tf.Session() as session:
        made = {n: tf.get_variable(n, shape) for n, shape in MULTI.variables.items()}
        tf.train.Saver().restore(session, out)
        found = session.run(made)
    expected = checkpoints.values(MULTI.checkpoint)
    assert expected.keys() == checkpoints.values(out).keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)
    assert sorted(os.listdir(os.path.dirname(out))) == [
        "model.ckpt" + checkpoints.DATA,
        "model.ckpt.index",
    ]


def test_write_refuses_what_it_cannot_do(tmp_path, capsys, weights_only):
    assert checkpoint_command.main(["write", weights_only, str(tmp_path / "a")]) == 2
    assert "add --weights_only" in capsys.readouterr().err
    assert checkpoint_command.main(["write", weights_only, weights_only, "--weights_only"]) == 2
    assert "exists; name another place" in capsys.readouterr().err
    (tmp_path / "file").write_text("")
    out = str(tmp_path / "file" / "model.ckpt")
    assert checkpoint_command.main(["write", weights_only, out, "--weights_only"]) == 2
    assert capsys.readouterr().err.startswith("error: %s cannot be written" % out)
    assert os.listdir(str(tmp_path)) == ["file"]
