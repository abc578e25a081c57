"""Degraded patches, against Pillow's JPEG, SciPy's blur and the statistics of noise."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage, stats

from bsrn_estimator.compat import tf
from bsrn_estimator.config import Recipe
from bsrn_estimator.data import degradations
from tests.support import tiny

SIZE = 19
PATCHES = np.stack([tiny.picture(number, SIZE, SIZE) for number in range(6)])


def degraded(patches=PATCHES, numbers=(1,), seed=1, **recipe):
    """`patches` after the degradations of a recipe, once for each number of a visit: uint8."""
    with tf.Graph().as_default(), tf.Session() as session:
        number = tf.placeholder(tf.int64, [])
        result = degradations.degrade(tf.constant(patches), (seed, number), Recipe(**recipe))
        return np.concatenate([session.run(result, {number: each}) for each in numbers])


def always(*names, **recipe):
    return dict(
        dict.fromkeys([name + "_share" for name in names], 1.0), degradations=names, **recipe
    )


def test_none_by_default():
    np.testing.assert_array_equal(degraded(), PATCHES)


@pytest.mark.parametrize("size", [1, 5, SIZE])
def test_a_mirrored_row_is_that_of_numpy(size):
    padded = np.pad(np.arange(size), 40, "symmetric")
    np.testing.assert_array_equal(degradations.mirrored(np.arange(-40, size + 40), size), padded)


@pytest.mark.parametrize("sigma", [0.3, 0.9, 2.0])
def test_blur_is_that_of_scipy(sigma):
    result = degraded(**always("blur", blur_sigma=(sigma, sigma)))
    for patch, blurred in zip(PATCHES.astype(float), result):
        expected = ndimage.gaussian_filter(patch, (sigma, sigma, 0), mode="reflect", truncate=6)
        assert np.abs(blurred - expected).max() < 1.2
    assert abs(result.mean() - PATCHES.mean()) < 0.1  # no shift from rounding


def test_the_range_of_the_blur():
    table = degradations.kernels((0.4, 1.5))
    assert (table.sum(axis=1) == 1024).all() and (table >= 0).all()
    radius = table.shape[1] // 2
    assert table[0, radius] == 1024
    for row, sigma in ((1, 0.4), (-1, 1.5)):
        spread = np.sqrt((table[row] * np.arange(-radius, radius + 1) ** 2).sum() / 1024)
        discrete = np.exp(-0.5 * (np.arange(-9, 10) / sigma) ** 2)
        expected = np.sqrt((discrete * np.arange(-9, 10) ** 2).sum() / discrete.sum())
        assert abs(spread - expected) < 0.02


def test_noise_is_normal_and_of_its_width():
    flat = np.full((5, 61, 61, 3), 128, np.uint8)
    for sigma in (1.5, 7.0):
        noise = degraded(flat, **always("noise", noise_sigma=(sigma, sigma))).astype(float) - 128
        assert abs(noise.mean()) < 5 * sigma / np.sqrt(noise.size)
        # Rounding to whole grey levels adds a twelfth to the variance.
        assert abs(noise.std() / np.sqrt(sigma**2 + 1 / 12) - 1) < 0.02
        assert abs(stats.kurtosis(noise.ravel())) < 0.1
        # Of one pixel, one channel, one patch and another.
        for other in (np.roll(noise, 1, axis) for axis in range(4)):
            assert abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 0.03


def test_noise_stops_at_black_and_white():
    for level in (0, 255):
        flat = np.full((3, 9, 9, 3), level, np.uint8)
        noisy = degraded(flat, **always("noise", noise_sigma=(9, 9))).astype(int)
        assert 0.4 < (noisy == level).mean() < 0.65
        assert np.abs(noisy - level).max() < 40


def test_the_normal_values_are_those_of_scipy():
    expected = stats.norm.ppf((np.arange(4096) + 0.5) / 4096)
    np.testing.assert_allclose(degradations.normals() / 1024, expected, atol=1e-3)


def pillow(patch, quality, y, x):
    """`patch` as a part of a JPEG picture, in which it begins at (y, x), by Pillow."""
    sides = [(start, -(start + SIZE) % 16 + 16) for start in (y, x)]
    file = io.BytesIO()
    around = Image.fromarray(np.pad(patch, sides + [(0, 0)], "symmetric"))
    around.save(file, "JPEG", quality=quality, subsampling="4:2:0")
    return np.asarray(Image.open(file))[y : y + SIZE, x : x + SIZE]


def test_jpeg_is_pillows_at_some_phase_of_the_blocks():
    phases = []
    results = degraded(numbers=range(4), **always("jpeg", jpeg_quality=(40, 40)))
    for patch, coded in zip(np.tile(PATCHES, (4, 1, 1, 1)), results):
        fits = [
            (y, x)
            for y in range(16)
            for x in range(16)
            if np.array_equal(pillow(patch, 40, y, x), coded)
        ]
        assert len(fits) == 1
        phases += fits
    rows, columns = zip(*phases)
    # Of 24 draws of 16 phases; 13 are expected.
    assert len(set(rows)) > 7 and len(set(columns)) > 7 and rows != columns


def test_the_range_of_the_quality():
    possible = {
        pillow(PATCHES[0], quality, y, x).tobytes(): quality
        for quality in (29, 30, 31, 32, 33)
        for y in range(16)
        for x in range(16)
    }
    results = degraded(PATCHES[:1], range(40), **always("jpeg", jpeg_quality=(30, 32)))
    assert {possible[coded.tobytes()] for coded in results} == {30, 31, 32}


@pytest.mark.parametrize("name", ["blur", "noise", "jpeg"])
def test_shares(name):
    for share in (0.0, 0.3, 1.0):
        recipe = {"degradations": (name,), name + "_share": share}
        results = degraded(PATCHES[:2], range(150), **recipe).reshape(150, 2, SIZE, SIZE, 3)
        count = (results != PATCHES[:2]).any(axis=(2, 3, 4)).sum()
        assert abs(count - 300 * share) <= (0 if share in (0, 1) else 40)


def test_a_patch_depends_on_neither_the_number_of_patches_nor_other_degradations():
    names = ("blur", "noise", "jpeg")
    result = degraded(**always(*names))
    np.testing.assert_array_equal(result[:2], degraded(PATCHES[:2], **always(*names)))
    assert not np.array_equal(result, degraded(**always("jpeg")))
    idle = dict(always("jpeg"), degradations=names, blur_share=0.0, noise_share=0.0)
    np.testing.assert_array_equal(degraded(**idle), degraded(**always("jpeg")))


def test_the_order_is_that_of_a_camera():
    def one(patches, name):
        return degraded(patches, **always(name))

    expected = one(one(one(PATCHES, "blur"), "noise"), "jpeg")
    np.testing.assert_array_equal(degraded(**always("jpeg", "noise", "blur")), expected)


def test_what_is_drawn_depends_on_every_part_of_the_key():
    recipe = always("noise")
    results = [
        degraded(numbers=[number], seed=seed, **recipe).tobytes()
        for number in (0, 1, 2**33)
        for seed in (0, 2**33)
    ]
    assert len(set(results)) == 6


@pytest.mark.parametrize("size", [1, 2, 33, 48])
def test_any_size(size):
    patches = np.stack([tiny.picture(number, size, size) for number in range(3)])
    result = degraded(patches, **always("blur", "noise", "jpeg"))
    assert result.shape == patches.shape and result.dtype == np.uint8
    assert np.abs(result.astype(int) - patches).mean() < 40


def test_the_data_stays_what_it_is():
    # On both runtimes, and in later versions: a resumed run relies on it.
    numbers = range(2**40, 2**40 + 20)
    results = degraded(numbers=numbers, degradations=("blur", "noise", "jpeg"))
    assert hashlib.sha256(results.tobytes()).hexdigest()[:16] == "683102a1ea061218"
