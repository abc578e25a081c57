"""Frozen graphs of free and of fixed shape."""

import os

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.export import export
from bsrn_estimator.export.exported import ExportedNetwork
from bsrn_estimator.inference.upscaler import Upscaler
from tests.bsrn_estimator.export import support
from tests.support.golden import FORWARD_BOUND


@pytest.fixture(scope="module")
def frozen(options):
    """The folder of the frozen graphs of x2 and x3, of free shape."""
    assert export.run(options(export_format="frozen", scales=(2, 3))) == 0
    return options().export_dir


def test_frozen_graphs(golden, options, frozen):
    lr = golden.forward["lr"]
    assert export.run(options(export_format="frozen", scales=(4,), export_size=lr.shape[:2])) == 0
    fixed = "bsrn_x4_%dx%d.pb" % lr.shape[:2]
    for name, scale in [("bsrn_x2.pb", 2), ("bsrn_x3.pb", 3), (fixed, 4)]:
        network = ExportedNetwork(os.path.join(frozen, name))
        assert network.scales == (scale,)
        with Upscaler(network) as upscaler:
            result = upscaler.upscale(lr, scale)
        assert np.abs(result - support.expected(golden, scale)).max() < FORWARD_BOUND
    assert network.fixed_shape == lr.shape[:2]
    graph = tf.GraphDef()
    with open(os.path.join(frozen, fixed), "rb") as file:
        graph.ParseFromString(file.read())
    (given,) = [node for node in graph.node if node.op == "Placeholder"]
    assert given.name == "lr"
    sides = [side.size for side in given.attr["shape"].shape.dim]
    assert sides == [1, lr.shape[0], lr.shape[1], 3]
    assert graph.node[-1].name == "hr"
    assert not [name for node in graph.node for name in node.input if name.startswith("^")]


def test_fixed_shape_in_tiles_and_its_refusals(options, frozen):
    assert export.run(options(export_format="frozen", scales=(2,), export_size=(30, 34))) == 0
    network = ExportedNetwork(os.path.join(frozen, "bsrn_x2_30x34.pb"))
    lr = np.random.RandomState(1).randint(0, 256, (41, 50, 3))
    with Upscaler(ExportedNetwork(os.path.join(frozen, "bsrn_x2.pb"))) as upscaler:
        expected = upscaler.upscale(lr, 2)
    with Upscaler(network) as upscaler:
        assert upscaler.tiles(41, 50, 2) == 9
        assert np.abs(upscaler.upscale(lr, 2) - expected).max() < 0.5
        with pytest.raises(UserError, match="smaller than the 30 x 34"):
            upscaler.upscale(lr[:29], 2)
    with pytest.raises(UserError, match="square or free shape"):
        Upscaler(network, self_ensemble=True)
