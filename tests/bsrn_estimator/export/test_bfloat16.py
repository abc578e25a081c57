"""An export with its convolutions in bfloat16: which nodes change, and what that does to values."""

import os

import numpy as np
import pytest

from bsrn_estimator.checkpoints import trained
from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.export import export, frozen_graph
from bsrn_estimator.export.bfloat16 import in_bfloat16
from bsrn_estimator.export.exported import ExportedNetwork
from bsrn_estimator.export.options import ExportOptions
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.networks import precision
from bsrn_estimator.networks.choice import OutputChoice
from bsrn_estimator.platforms.cpu import has_bfloat16


@pytest.fixture(scope="module")
def network(golden):
    return trained.TrainedNetwork(golden.checkpoint, golden.network)


def _types(operations):
    """{whether its weight is that of a last convolution: the types of such convolutions}."""
    found = {True: set(), False: set()}
    for op in operations:
        if op.type == "Conv2D":
            found[op.outputs[0].shape[-1] == 3].add(op.outputs[0].dtype)
    return found


@pytest.mark.parametrize("scale", [2, 3, 8])
def test_all_convolutions_but_the_last_change_and_the_result_stays_float32(network, scale):
    frozen = frozen_graph.graph_def(network.session, network.network, scale)
    changed = in_bfloat16(frozen)
    assert {node.name for node in frozen.node} < {node.name for node in changed.node}
    with tf.Graph().as_default() as graph:  # which checks the types of every node
        (hr,) = tf.import_graph_def(changed, return_elements=["hr:0"], name="")
        assert hr.dtype == tf.float32
        assert _types(graph.get_operations()) == {True: {tf.float32}, False: {tf.bfloat16}}
        added = {op.type for op in graph.get_operations() if "/to_" in op.name}
        assert added == {"Cast"}
        sums = [op for op in graph.get_operations() if op.type in ("AddV2", "Add")]
        assert sums and {op.outputs[0].dtype for op in sums} == {tf.float32}


def test_what_has_no_weights_stays_as_it_is():
    with tf.Graph().as_default() as graph:
        lr = tf.placeholder(tf.float32, [1, None, None, 3], "lr")
        tf.nn.relu(tf.nn.conv2d(lr, tf.placeholder(tf.float32, [3, 3, 3, 3]), 1, "SAME"))
        definition = graph.as_graph_def()
    assert list(in_bfloat16(definition).node) == list(definition.node)


@pytest.mark.skipif(not has_bfloat16(), reason="needs TensorFlow 2.21 and bfloat16 instructions")
@pytest.mark.parametrize("form", ["saved_model", "frozen"])
def test_values_are_those_of_a_network_built_in_bfloat16(golden, network, tmp_path, form):
    given = {name: getattr(golden.network, name) for name in golden.network.untold}
    options = ExportOptions(
        export_dir=str(tmp_path), checkpoint=golden.checkpoint, given=given, export_format=form
    )
    (path,) = export.export(network, (2,), options)
    assert os.path.exists(path)
    lr = golden.forward["lr"]
    results = {}
    for name in (precision.FLOAT32, precision.BFLOAT16):
        exported = ExportedNetwork(path, precision=name)
        assert exported.precision == name
        with Upscaler(exported, scales=[2]) as upscaler:
            results[name] = upscaler.upscale(lr, 2)
    with tf.Graph().as_default():
        picture = tf.placeholder(tf.float32, [1, None, None, 3])
        with precision.scope(precision.BFLOAT16):
            hr = network.network.exported(picture, 2, OutputChoice())
        with network.session() as session:
            expected = session.run(hr, {picture: lr[np.newaxis]})[0]
    off = np.abs(results[precision.FLOAT32] - expected).max()
    assert off > 0.02  # so that the next line means something
    assert np.abs(results[precision.BFLOAT16] - expected).max() < off / 4


@pytest.mark.skipif(TF2, reason="TensorFlow 2.21 has them")
def test_the_first_runtime_has_no_such_convolutions():
    assert not has_bfloat16()
