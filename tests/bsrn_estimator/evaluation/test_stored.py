"""Results of pictures that are larger than a tile, against the network on the whole picture."""

import numpy as np
import pytest

from bsrn_estimator.checkpoints import restoring, trained
from bsrn_estimator.compat import tf
from bsrn_estimator.evaluation import metrics, stored
from bsrn_estimator.networks.bsrn import Bsrn
from bsrn_estimator.pictures.imresize import shrink
from tests.support import tiny

SCALE = 3
# Of more LR pixels than a tile of the fixture below, whichever way they lie.
SIZES = [(71, 140), (190, 49)]


@pytest.fixture(scope="module")
def small_tiles():
    """Tiles of 80x80 LR pixels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Bsrn, "tile", 40)
        yield


@pytest.fixture(scope="module")
def run(small_tiles):
    """From an LR picture to ({output: stored in tiles}, {output: float32 of the whole picture}).

    Of the network that comes with the project, which sees further than tiles overlap.
    """
    network = trained.find("pretrained")
    with tf.Graph().as_default():
        lr, grey = tf.placeholder(tf.uint8, [1, None, None, 3]), tf.placeholder(tf.bool, [])
        tiled = stored.stored_results(network.network, lr, SCALE, True, grey)
        whole = network.network.results(lr, SCALE, True)
        with tf.Session() as session:
            restoring.restorer(network.prefix, network.network)(session)
            yield lambda picture, one: session.run([tiled, whole], {lr: picture[None], grey: one})


@pytest.mark.parametrize("size", SIZES)
def test_tiles_give_the_picture_and_the_figures_of_the_whole(run, size):
    hr = tiny.picture(3, SCALE * size[0] + 1, SCALE * size[1] + 2)
    tiled, whole = run(shrink(hr, SCALE), False)
    assert list(tiled) == list(whole) and len(tiled) == 3
    for name, picture in tiled.items():
        assert picture.dtype == np.uint8 and picture.shape == (SCALE * size[0], SCALE * size[1], 3)
        exact = whole[name][0]
        # Rounded values differ where the exact one is halfway, within 2e-4 grey levels.
        assert np.abs(picture - np.clip(exact, 0, 255)).max() <= 0.5 + 2e-4
        rounded = np.clip(np.rint(exact), 0, 255).astype(np.uint8)
        found, expected = (metrics.compare(hr, each, SCALE) for each in (picture, rounded))
        assert found["psnr_y"] == pytest.approx(expected["psnr_y"], abs=2e-4)
        assert found["ssim_y"] == pytest.approx(expected["ssim_y"], abs=2e-6)


def test_of_a_file_of_one_channel_the_luma_is_stored(run):
    lr = np.stack([tiny.picture(4, 90, 88)[..., 1]] * 3, axis=-1)
    tiled, whole = run(lr, True)
    for name, picture in tiled.items():
        luma = whole[name][0] @ np.array([0.299, 0.587, 0.114])
        assert (picture == picture[..., :1]).all()
        assert np.abs(picture[..., 0] - np.clip(luma, 0, 255)).max() <= 0.5 + 2e-4


def test_what_takes_the_place_of_the_network_has_the_whole_picture(small_tiles):
    lr = tiny.picture(5, 100, 101)

    def results(picture, scale):
        assert scale == SCALE
        larger = tf.cast(tf.image.resize_nearest_neighbor(picture, [300, 303]), tf.float32)
        return {"ensemble": larger + 0.4, "recursion_01": larger - 300.0}

    with tf.Graph().as_default(), tf.Session() as session:
        made = session.run(
            stored.stored_results(
                Bsrn(), tf.constant(lr[None]), SCALE, True, tf.constant(False), results=results
            )
        )
    np.testing.assert_array_equal(made["ensemble"], lr.repeat(3, axis=0).repeat(3, axis=1))
    assert (made["recursion_01"] == 0).all()


def test_a_device_with_graphs_of_its_own_gives_the_exact_result_too():
    """Its results are whole pictures; that of the network is taken before it is rounded."""
    lr = np.zeros([1, 2, 3, 3], np.uint8)

    def results(given, scale):
        assert given is lr
        exact = np.full([1, 2 * scale, 3 * scale, 3], 7.25, np.float32)
        return {"recursion_02": exact + 1, tiny.NETWORK.result: exact}

    found = stored.exact_result(tiny.NETWORK, lr, 2, results=results)
    np.testing.assert_array_equal(found, np.full([4, 6, 3], 7.25))
