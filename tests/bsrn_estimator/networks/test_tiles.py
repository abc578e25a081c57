"""Tiles in a graph: their shapes, and a network of known reach against the whole picture."""

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.networks import tiles
from bsrn_estimator.pictures.tiling import shape_for


@pytest.mark.parametrize("side,overlap", [(29, 11), (25, 12), (8, 0)])
def test_shapes_in_the_graph_are_those_of_the_upscaler(side, overlap):
    random = np.random.RandomState(4)
    sizes = [(1, 1), (1, 900), (900, 1), (side, side), (side, side + 1), (2040, 1356)]
    sizes += [tuple(random.randint(1, 400, 2)) for _ in range(60)]
    with tf.Graph().as_default(), tf.Session() as session:
        height, width = tf.placeholder(tf.int32, []), tf.placeholder(tf.int32, [])
        shape = tiles.shape_for(height, width, side, overlap)
        for size in sizes:
            found = session.run(shape, dict(zip((height, width), size)))
            assert tuple(found) == shape_for(size[0], size[1], side, overlap), size


@pytest.mark.parametrize("size", [(31, 47), (9, 60), (20, 20), (1, 50), (4, 9), (2, 40)])
@pytest.mark.parametrize("overlap, is_exact", [(2, True), (1, False)])
def test_tiles_are_the_whole_where_they_overlap_as_far_as_is_seen(size, overlap, is_exact):
    """Of two results at once, one of which sees two pixels away."""
    lr = np.random.RandomState(6).randint(0, 51, size + (3,)).astype(np.uint8)

    def upscale(tile):
        padded = tf.pad(tf.cast(tile, tf.int32), [[2, 2], [2, 2], [0, 0]])
        far = padded[:-4, 2:-2] + padded[4:, 2:-2] + padded[2:-2, :-4] + padded[2:-2, 4:]
        both = tf.concat([far, tf.cast(tile, tf.int32)], axis=2)
        for axis in (0, 1):
            both = tf.repeat(both, 3, axis=axis)
        return tf.cast(both, tf.uint8)

    with tf.Graph().as_default(), tf.Session() as session:
        picture = tf.placeholder(tf.uint8, [None, None, 3])
        made = [upscale(picture), tiles.upscale_in_tiles(picture, 3, upscale, 12, overlap, 6)]
        whole, tiled = session.run(made, {picture: lr})
    assert tiled.shape == (3 * size[0], 3 * size[1], 6)
    np.testing.assert_array_equal(tiled[..., 3:], whole[..., 3:])
    if is_exact:
        np.testing.assert_array_equal(tiled, whole)
    elif size[0] * size[1] > 144 and min(size) > 1:
        assert (tiled != whole).any()
