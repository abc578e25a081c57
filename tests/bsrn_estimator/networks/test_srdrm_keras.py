"""The layers of the authors' model: their names, their order, and the networks they tell."""

import json

import pytest

from bsrn_estimator.networks import srdrm_keras
from bsrn_estimator.networks.srdrm import Srdrm


@pytest.mark.parametrize("name, scale", [("x2_srdrm", 2), ("x4_srdrm-gan", 4)])
def test_layers_are_those_of_the_authors(name, scale, shared_dir):
    path = shared_dir / "reference" / "srdrm" / (name + ".json")
    if not path.is_file():
        pytest.skip("no file %s on this machine" % path)
    said = json.loads(path.read_text())["config"]["layers"]
    made = Srdrm(scales=(scale,)).keras_layers()
    assert [layer.name for layer in made] == [layer["name"] for layer in said]


@pytest.mark.parametrize("scale, kernel", [(2, 5), (4, 9), (8, 5)])
def test_every_weight_has_one_place(scale, kernel):
    network = Srdrm(scales=(scale,), output_kernel=kernel)
    shapes = network.weight_shapes()
    ours = [name for layer in network.keras_layers() for _, name in layer.weights]
    assert sorted(ours) == sorted(shapes)
    kernels = [shapes[name] for name in ours if name.endswith("/kernel")]
    assert Srdrm.of_keras(kernels) == network


@pytest.mark.parametrize(
    "kernels", [[], [(5, 5, 256, 3)], [(3, 3, 64, 64)] * 20, [(5, 5, 256, 3)] * 77]
)
def test_other_kernels_tell_nothing(kernels):
    assert srdrm_keras.fields_of(kernels) is None
