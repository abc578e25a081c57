"""VGG19 up to block5_conv4: counts, features against slices of numpy, and the user's file."""

import h5py
import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks import vgg19

_SMALL = ((1, 2), (2, 3))


def arrays(seed=0):
    noise = np.random.RandomState(seed)
    return {
        name: tuple(noise.normal(0, 0.4, shape).astype(np.float32) for shape in shapes)
        for name, shapes in vgg19.shapes().items()
    }


def write(path, layers, nested=False):
    with h5py.File(str(path), "w") as file:
        for name, (kernel, bias) in layers.items():
            # Keras calls them otherwise from version to version.
            inner = "%s/%s" % (name, name) if nested else name
            file["%s/%s" % (inner, "kernel:0" if nested else name + "_W_1:0")] = kernel
            file["%s/%s" % (inner, "bias:0" if nested else name + "_b_1:0")] = bias
    return str(path)


def test_the_layers_are_those_of_vgg19():
    shapes = vgg19.shapes()
    assert list(shapes)[0] == "block1_conv1" and list(shapes)[-1] == "block5_conv4"
    assert len(shapes) == 16
    assert sum(int(np.prod(k) + np.prod(b)) for k, b in shapes.values()) == 20024384


def convolved(picture, kernel, bias):
    padded = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="constant")
    height, width = picture.shape[:2]
    made = sum(
        np.tensordot(padded[y : y + height, x : x + width], kernel[y, x], 1)
        for y in range(3)
        for x in range(3)
    )
    return np.maximum(made + bias, 0)


def test_features_and_where_their_weights_are(monkeypatch):
    monkeypatch.setattr(vgg19, "BLOCKS", _SMALL)
    layers = arrays()
    picture = np.random.RandomState(1).uniform(-1, 1, [7, 6, 3])
    first = convolved(picture, *layers["block1_conv1"])
    pooled = first[:6].reshape(3, 2, 3, 2, -1).max(axis=(1, 3))
    expected = convolved(convolved(pooled, *layers["block2_conv1"]), *layers["block2_conv2"])
    with tf.Graph().as_default() as graph, tf.Session() as session:
        twice = [
            vgg19.features(tf.constant(picture[np.newaxis], tf.float32), layers) for _ in range(2)
        ]
        session.run(tf.local_variables_initializer())
        for found in session.run(twice):
            np.testing.assert_allclose(found[0], expected, rtol=1e-5, atol=1e-6)
        # No checkpoint has them, no optimizer finds them, no copy of the graph takes them along.
        assert not tf.global_variables() and not tf.trainable_variables()
        assert len(tf.local_variables()) == 6
        assert graph.as_graph_def().ByteSize() < 50000


@pytest.mark.parametrize("nested", [False, True])
def test_a_file_is_read_whatever_keras_calls_the_arrays(tmp_path, monkeypatch, nested):
    monkeypatch.setattr(vgg19, "BLOCKS", _SMALL)
    layers = arrays()
    found = vgg19.read(write(tmp_path / "vgg.h5", layers, nested))
    assert list(found) == list(layers)
    for name, parts in layers.items():
        for part, expected in zip(found[name], parts):
            np.testing.assert_array_equal(part, expected)


def test_files_that_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(vgg19, "BLOCKS", _SMALL)
    layers = arrays()
    del layers["block2_conv1"]
    layers["block2_conv2"] = (np.zeros([3, 3, 4, 3]), np.zeros([3]))
    with pytest.raises(UserError) as caught:
        vgg19.read(write(tmp_path / "wrong.h5", layers))
    assert "block2_conv1 holds nothing, not [3, 3, 2, 3] and [3]" in str(caught.value)
    assert "block2_conv2 holds [3, 3, 4, 3] and [3], not [3, 3, 3, 3] and [3]" in str(caught.value)
    (tmp_path / "text.h5").write_text("no weights")
    with pytest.raises(UserError, match="text.h5 cannot be read as a file of Keras"):
        vgg19.read(str(tmp_path / "text.h5"))
    for function in (vgg19.read, vgg19.md5):
        with pytest.raises(UserError, match="--vgg19_weights=/absent/vgg.h5"):
            function("/absent/vgg.h5")


def test_checksum(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")
    # RFC 1321.
    assert vgg19.md5(str(tmp_path / "abc")) == "900150983cd24fb0d6963f7d28e17f72"
