"""Patches against slices made with numpy, and the fairness of the draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsrn_estimator.compat import tf
from bsrn_estimator.data import augmentation


def sliced(picture, y, x, size, orientation):
    patch = picture[y : y + size, x : x + size]
    if orientation & 1:
        patch = patch[:, ::-1]
    if orientation & 2:
        patch = patch[::-1]
    if orientation & 4:
        patch = patch.transpose(1, 0, 2)
    return patch


@pytest.fixture(scope="module")
def cutter():
    """`cut` as a function of arrays; one graph for every size."""
    sessions = {}

    def cut(picture, y, x, size, orientation):
        if size not in sessions:
            graph = tf.Graph()
            with graph.as_default():
                inputs = [tf.placeholder(tf.uint8, [None, None, picture.shape[2]])]
                inputs += [tf.placeholder(tf.int32, [None]) for _ in range(3)]
                output = augmentation.cut(*inputs[:3], size, inputs[3])
                sessions[size] = tf.Session(graph=graph), inputs, output
        session, inputs, output = sessions[size]
        return session.run(output, dict(zip(inputs, (picture, y, x, orientation))))

    yield cut
    for session, _, _ in sessions.values():
        session.close()


@given(
    height=st.integers(5, 30),
    width=st.integers(5, 30),
    size=st.sampled_from([1, 4, 5]),
    data=st.data(),
)
def test_patches_are_slices_in_each_orientation(cutter, height, width, size, data):
    picture = np.random.RandomState(height * 31 + width).randint(0, 256, (height, width, 3), "u1")
    y = [data.draw(st.sampled_from([0, 1, height - size])) % (height - size + 1) for _ in range(8)]
    x = [data.draw(st.sampled_from([0, 1, width - size])) % (width - size + 1) for _ in range(8)]
    patches = cutter(picture, y, x, size, np.arange(8))
    for orientation in range(8):
        expected = sliced(picture, y[orientation], x[orientation], size, orientation)
        np.testing.assert_array_equal(patches[orientation], expected)


def test_the_eight_orientations_are_the_symmetries_of_the_square():
    square = np.arange(9).reshape(3, 3, 1)
    ours = {sliced(square, 0, 0, 3, o).tobytes() for o in range(8)}
    turned = [np.rot90(square, quarter) for quarter in range(4)]
    assert ours == {t.tobytes() for t in turned} | {t[:, ::-1].tobytes() for t in turned}


def drawn(visits, patches=8, height=9, width=12, patch_size=5, seed=1):
    with tf.Graph().as_default(), tf.Session() as session:
        visit = tf.placeholder(tf.int64, [])
        draws = tf.stack(
            augmentation.draw_patches((seed, visit), patches, height, width, patch_size), axis=1
        )
        call = session.make_callable(draws, [visit])
        return np.stack([call(number) for number in visits])


def test_every_place_and_orientation_is_equally_likely():
    draws = drawn(range(2000)).reshape(-1, 3)
    for column, choices in ((0, 5), (1, 8), (2, 8)):
        counts = np.bincount(draws[:, column], minlength=choices)
        assert len(counts) == choices
        # A chi-square of at most 7 degrees of freedom is above 40 once in a million draws.
        expected = len(draws) / choices
        assert np.sum((counts - expected) ** 2 / expected) < 40
    # All combinations come up: the three are drawn apart.
    assert len({tuple(row) for row in draws}) == 5 * 8 * 8


def test_draws_do_not_depend_on_how_many_are_drawn():
    np.testing.assert_array_equal(drawn([2**40], 8)[:, :3], drawn([2**40], 3))


def test_draws_depend_on_every_part_of_the_key():
    draws = [drawn([visit], seed=seed).tobytes() for visit in (0, 1, 2**33) for seed in (0, 2**33)]
    assert len(set(draws)) == 6


def test_draws_stay_what_they_are():
    # On both runtimes, and in later versions: a resumed run relies on it.
    draws = drawn([2**35], height=31, width=37, patch_size=7, seed=2**40 + 1)[0]
    assert draws[:, 0].tolist() == [8, 9, 9, 24, 21, 17, 18, 20]
    assert draws[:, 1].tolist() == [15, 20, 27, 24, 15, 10, 29, 26]
    assert draws[:, 2].tolist() == [5, 1, 5, 3, 0, 0, 3, 6]


def test_flips_stay_what_they_are():
    # As above: of rows and columns apart, drawn from the number of a visit, however large.
    keys = [(3, 5, 0.5), (3, 2**40, 0.5), (1, 0, 1.0), (1, 0, 0.0)]
    with tf.Graph().as_default(), tf.Session() as session:
        found = [augmentation.draw_flips((seed, n), 6, share) for seed, n, share in keys]
        found = [values.tolist() for values in session.run(found)]
    assert found == [[2, 1, 3, 3, 0, 0], [3, 1, 2, 3, 1, 3], [3] * 6, [0] * 6]


def test_the_only_place_is_taken():
    draws = drawn([5], height=5, width=5)[0]
    assert not draws[:, :2].any()
