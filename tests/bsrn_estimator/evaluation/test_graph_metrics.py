"""PSNR, SSIM and RMSE in the graph, against those in numpy."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bsrn_estimator.compat import tf
from bsrn_estimator.evaluation import graph_metrics, metrics
from bsrn_estimator.pictures.picture import to_uint8
from tests.bsrn_estimator.evaluation.support import noisy, photo_like

sizes = st.tuples(st.integers(1, 29), st.integers(1, 29))


def test_rounding_is_that_of_pictures():
    values = np.array([-3.2, 0.5, 1.5, 2.5, 2.51, 254.5, 255.5, 999.0, np.inf], np.float32)
    with tf.Graph().as_default(), tf.Session() as session:
        found = session.run(graph_metrics.quantise(tf.constant(values)))
    assert found.tolist() == to_uint8(values).tolist()


@pytest.fixture(scope="module")
def graph_values():
    """compare() of the graph, for any shave: graphs are kept, so a shave is built once."""
    with tf.Graph().as_default(), tf.Session() as session:
        hr = tf.placeholder(tf.uint8, [None, None, 3])
        picture = tf.placeholder(tf.float32, [None, None, 3])
        built = {}

        def values(hr_value, picture_value, shave):
            if shave not in built:
                results = [graph_metrics.quantise(each) for each in (255 - picture, picture)]
                # So few pixels that these small pictures have several bands.
                built[shave] = graph_metrics.compare(hr, results, shave, band_pixels=300)
            found = session.run(built[shave], {hr: hr_value, picture: picture_value})
            return {name: values[1] for name, values in found.items()}

        yield values


def assert_close(found, expected):
    for name, value in expected.items():
        bound = 1e-5 if name == "ssim_y" else 1e-6
        assert found[name] == pytest.approx(value, rel=0, abs=bound, nan_ok=True), name


@settings(max_examples=60)
@given(sizes, st.integers(0, 5), st.integers(0, 99), st.sampled_from([0, 1, 15, 120]))
@example((40, 61), 4, 0, 3)
@example((10, 30), 5, 0, 3)
@example((11, 11), 0, 0, 0)
@example((1, 1), 0, 0, 9)
def test_graph_and_numpy_agree(graph_values, size, shave, seed, amount):
    hr = photo_like(*size, seed=seed)
    result = noisy(hr, amount) + np.random.RandomState(seed).uniform(-0.49, 0.49, hr.shape)
    result = result.astype(np.float32)
    expected = metrics.compare(hr, to_uint8(result), shave)
    assert_close(graph_values(hr, result, shave), expected)


def test_graph_and_numpy_agree_on_halves_grey_and_a_larger_hr(graph_values):
    hr = photo_like(26, 33, channels=1).repeat(3, axis=2)
    result = (noisy(hr, 14) + 0.5).astype(np.float32)[:24, :32]
    expected = metrics.compare(hr, to_uint8(result), 2)
    assert_close(graph_values(hr, result, 2), expected)
    assert expected["psnr_y"] != pytest.approx(expected["psnr_rgb"] + 1.3219, abs=0.1)


def test_the_graph_refuses_a_result_larger_than_hr(graph_values):
    with pytest.raises(tf.errors.InvalidArgumentError, match="HR is smaller than the result"):
        graph_values(photo_like(20, 20), photo_like(20, 24).astype(np.float32), 2)


def test_the_graph_keeps_float64_for_sums(graph_values):
    """One grey level in one of a million samples: float32 sums would lose it among large ones."""
    hr = photo_like(600, 600)
    picture = noisy(hr, 120)
    assert_close(graph_values(hr, picture.astype(np.float32), 0), metrics.compare(hr, picture, 0))
    picture = hr.copy()
    picture[311, 97, 1] ^= 1
    assert_close(graph_values(hr, picture.astype(np.float32), 0), metrics.compare(hr, picture, 0))
