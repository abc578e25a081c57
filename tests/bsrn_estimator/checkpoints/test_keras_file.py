"""Files of Keras: read as checkpoints, written back, and refused by what differs."""

import os

import h5py
import numpy as np
import pytest

from bsrn_estimator.checkpoints import contents, keras_file, literal, reference, restoring
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks.bsrn import Bsrn
from bsrn_estimator.networks.srdrm import Srdrm

NETWORK = Srdrm()
# Sums and a mean over arrays of the published files.
GOLDEN = {
    "x2_srdrm": (-11.6134, -1.9687, -4.44189, -0.00333632, 64.7973, 6917.28),
    "x2_srdrm-gan": (-7.49956, -3.62534, -30.326, -0.0332238, 64.4288, 3338.92),
}


def random_weights(network=NETWORK):
    draw = np.random.RandomState(4)
    shapes = network.weight_shapes()
    return {name: draw.normal(size=shapes[name]).astype(np.float32) for name in sorted(shapes)}


@pytest.fixture(scope="module")
def weights():
    return random_weights()


@pytest.fixture
def path(tmp_path, weights):
    made = str(tmp_path / "weights.h5")
    keras_file.write(made, NETWORK, weights)
    return made


def test_is_read_as_a_checkpoint(path, weights):
    prefix = checkpoint_files.resolve(path)
    assert prefix == path
    assert contents.network_of(prefix) == NETWORK
    reader = literal.reader(prefix)
    assert set(reader.get_variable_to_shape_map()) == set(weights)
    for name, value in weights.items():
        assert reader.get_tensor(name).tobytes() == value.tobytes()


def test_gives_a_graph_its_weights(path, weights):
    with tf.Graph().as_default(), tf.Session() as session:
        NETWORK.results(tf.zeros([1, 2, 2, 3]), 2)
        restoring.restorer(path, NETWORK)(session)
        for variable in tf.global_variables():
            assert session.run(variable).tobytes() == weights[variable.op.name].tobytes()


def test_comes_back_with_every_array_equal(path, tmp_path):
    out = str(tmp_path / "new" / "back.h5")
    names = reference.write_keras(path, out)
    assert len(names) == 2 * 20 + 4 * 17 and "conv2d_20/kernel:0" in names
    assert contents_of(out) == contents_of(path)
    with pytest.raises(UserError, match="back.h5 exists"):
        reference.write_keras(path, out)


def contents_of(path):
    """All that a file holds: attributes, and bytes of arrays."""
    found = {}

    def take(name, item):
        found[name] = {key: np.asarray(value).tolist() for key, value in item.attrs.items()}
        if isinstance(item, h5py.Dataset):
            found[name] = (item.dtype, item.shape, item[()].tobytes())

    with h5py.File(path, "r") as file:
        file.visititems(take)
        take("", file)
    return found


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_the_published_files(name, shared_dir, tmp_path):
    path = shared_dir / "reference" / "srdrm" / (name + ".h5")
    if not path.is_file():
        pytest.skip("no file %s on this machine" % path)
    found = keras_file.weights_of(str(path))
    block = "srdrm/block_1/"
    figures = [
        found[block + "first/kernel"].sum(),
        found[block + "first/bias"].sum(),
        found["srdrm/last_conv/kernel"].sum(),
        found["srdrm/last_conv/bias"].sum(),
        found[block + "residual_1/conv_1/batch_norm/gamma"].sum(),
        found[block + "second/batch_norm/moving_variance"].mean(),
    ]
    np.testing.assert_allclose(figures, GOLDEN[name], rtol=1e-5)
    out = str(tmp_path / "back.h5")
    reference.write_keras(str(path), out)
    assert contents_of(out) == contents_of(str(path))


def edit(path, change):
    with h5py.File(path, "r+") as file:
        change(file)


def without_a_layer(file):
    names = [name for name in file.attrs["layer_names"] if name != b"batch_normalization_5"]
    file.attrs["layer_names"] = np.array(names)


def of_other_shapes(file):
    del file["conv2d_3/conv2d_3/kernel:0"]
    file["conv2d_3/conv2d_3/kernel:0"] = np.zeros([3, 3, 64, 32], np.float32)


def without_a_bias(file):
    file["conv2d_7"].attrs["weight_names"] = np.array([b"conv2d_7/kernel:0"])


def without_the_last_layer(file):
    file.attrs["layer_names"] = file.attrs["layer_names"][:-1]


def with_nan(file):
    file["conv2d_3/conv2d_3/bias:0"][5] = np.nan


@pytest.mark.parametrize(
    "change, sentence",
    [
        (without_a_layer, "36 layers with weights, not 37; conv2d_7.*batch_normalization_5"),
        (of_other_shapes, r"conv2d_3/kernel is \[3, 3, 64, 32\], not \[3, 3, 64, 64\]$"),
        (without_a_bias, "conv2d_7, in the place of conv2d_7, has no bias$"),
        (without_the_last_layer, "36 layers with weights have 19 kernels"),
        (with_nan, "srdrm/block_1/residual_1/conv_2/bias is not finite"),
    ],
)
def test_refuses_by_what_differs(path, change, sentence):
    edit(path, change)
    with pytest.raises(UserError, match=sentence):
        checkpoint_files.resolve(path)


def test_refuses_what_is_no_such_file(tmp_path):
    other = tmp_path / "text.h5"
    other.write_text("none")
    with pytest.raises(UserError, match="text.h5 cannot be read as a file of Keras"):
        checkpoint_files.resolve(str(other))
    with pytest.raises(UserError, match="there is no file .*missing.h5"):
        checkpoint_files.resolve(str(tmp_path / "missing.h5"))
    with h5py.File(str(tmp_path / "newer.h5"), "w") as file:
        file.create_group("layers")
    with pytest.raises(UserError, match="has no list of layers"):
        checkpoint_files.resolve(str(tmp_path / "newer.h5"))


@pytest.mark.parametrize(
    "network, sentence",
    [
        (Srdrm(scales=(4,)), "it has no upscaler for x4"),
        (Srdrm(output_kernel=9), "its output_kernel are 5, not 9"),
        (Bsrn(scales=(2,)), "it is a network of the family srdrm"),
    ],
)
def test_a_network_that_it_does_not_fit(path, network, sentence):
    with pytest.raises(UserError, match=sentence):
        restoring.restorer(path, network)


def test_a_bsrn_has_no_such_file(tmp_path):
    from tests.support import golden

    prefix = golden.Golden("multi_scale").checkpoint
    with pytest.raises(UserError, match="of the family bsrn, of which no files of Keras"):
        reference.write_keras(prefix, str(tmp_path / "out.h5"))
    assert os.listdir(str(tmp_path)) == []
