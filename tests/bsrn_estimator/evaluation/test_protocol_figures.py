"""The figures behind SRDRM's tables: SciPy's filter, values by hand, and those of real pictures."""

import math

import numpy as np
import pytest
from PIL import Image

from bsrn_estimator.evaluation import protocol_figures as figures
from bsrn_estimator.evaluation import protocols
from bsrn_estimator.evaluation.protocols import NAMES, PROTOCOLS, RAW, STRETCHED
from bsrn_estimator.pictures.stretch import stretched
from tests.support import tiny

ndimage = pytest.importorskip("scipy.ndimage")


def pair(height=37, width=41):
    hr = tiny.picture(1, height, width)
    noise = np.random.RandomState(2).normal(0, 9, hr.shape)
    return hr, np.clip(hr + noise, 0, 255).astype(np.uint8)


def ssim_of_scipy(a, b):
    """As scikit-image has it, of which the code of SRDRM is a copy, without its crop of borders."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    count = 5**a.ndim
    ua, ub = (ndimage.gaussian_filter(x, 1.5) for x in (a, b))
    norm = count / (count - 1)
    va, vb, vab = (
        norm * (ndimage.gaussian_filter(x * y, 1.5) - u * v)
        for x, y, u, v in ((a, a, ua, ua), (b, b, ub, ub), (a, b, ua, ub))
    )
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    return (((2 * ua * ub + c1) * (2 * vab + c2)) / ((ua**2 + ub**2 + c1) * (va + vb + c2))).mean()


@pytest.mark.parametrize("of", [lambda x: x[..., 1], lambda x: x[:, 0, 0], lambda x: x[:9, 0, 0]])
def test_ssim_is_that_of_scipy(of):
    a, b = map(of, pair())
    assert figures.ssim(a, b) == pytest.approx(ssim_of_scipy(a, b), abs=1e-12)
    assert figures.ssim(a, a) == pytest.approx(1, abs=1e-12)


def test_each_figure_is_what_its_name_says():
    hr, picture = pair()
    found = figures.compare(hr, picture)
    lumas = [np.asarray(Image.fromarray(each).convert("L")) for each in (hr, picture)]
    assert tuple(found) == NAMES
    assert found["ssim_luma"] == pytest.approx(ssim_of_scipy(*lumas))
    assert found["ssim_column0"] == pytest.approx(ssim_of_scipy(*(x[:, 0] for x in lumas)))
    channels = [ssim_of_scipy(hr[..., c], picture[..., c]) for c in range(3)]
    assert found["ssim_rgb"] == pytest.approx(np.mean(channels))
    error = np.mean((hr.astype(float) - picture) ** 2)
    assert found["psnr_rgb"] == pytest.approx(10 * math.log10(255**2 / error))
    # Only the first column tells.
    picture[:, 1:] = 0
    assert figures.compare(hr, picture)["ssim_column0"] == found["ssim_column0"]


def test_equal_pictures_and_a_difference_by_hand():
    hr = np.full([12, 13, 3], 100, np.uint8)
    assert figures.compare(hr, hr)["psnr_rgb"] == figures.compare(hr, hr)["psnr_luma"] == 100
    # 20 log10(255 / 2) in one channel of three: 10 log10(255^2 * 3 / 4).
    other = hr.copy()
    other[..., 2] += 2
    assert figures.psnr(hr, other) == pytest.approx(10 * math.log10(255**2 * 3 / 4))


def test_bytes_of_a_result():
    result = np.array([[[-7.0, 99.5, 100.9], [254.99, 300, 0.2]]])
    assert figures.truncated(result).tolist() == [[[0, 99, 100], [254, 255, 0]]]
    assert figures.rounded(result).tolist() == [[[0, 100, 101], [255, 255, 0]]]


def test_each_protocol_stores_and_files_as_it_says():
    hr = tiny.picture(3, 33, 44)
    lr = tiny.picture(4, 16, 22)
    results = {RAW: hr[:32] * 0.7 + 11.6, STRETCHED: hr[:32] * 0.6 + 20.6}
    found = figures.measure(list(PROTOCOLS), hr, lr, results)
    assert len(found) == 2 * len(PROTOCOLS) * len(NAMES)
    png = {
        "srdrm2019": stretched(results[STRETCHED]),
        "plain": np.rint(results[RAW]).astype(np.uint8),
    }
    jpeg = {"srdrm2020": png["srdrm2019"], "modelzoo": results[RAW].astype(np.uint8)}
    plain = figures.bicubic(lr, 2)
    for name, picture in [*png.items(), *jpeg.items()]:
        in_file = figures.filed(picture, name in jpeg)
        assert np.array_equal(in_file, picture) == (name in png)
        for key, value in figures.compare(hr[:32], in_file).items():
            assert found[protocols.figure(name, key)] == value
        beside = figures.compare(hr[:32], figures.filed(plain, name in jpeg))
        assert found["bicubic_%s_ssim_rgb" % name] == beside["ssim_rgb"]


def test_what_the_network_is_given():
    assert protocols.sources_of(["modelzoo", "plain"]) == (RAW,)
    assert protocols.sources_of(["srdrm2020"]) == (STRETCHED,)
    assert protocols.sources_of(["srdrm2019", "plain"]) == (RAW, STRETCHED)
    assert protocols.sources_of([]) == ()


# Of 25 pictures of USR-248, and the first: PSNR and SSIM of luma, of column 0, of RGB, and UIQM, as
# code apart from this project's computed them (docs/srdrm.md).
_FIRST_X2 = (32.8526, 0.9000, 0.9869, 30.8639, 0.8740, 2.0306)


def real(shared_dir, *parts):
    return np.asarray(Image.open(str(shared_dir.joinpath("data", "USR248", *parts))).convert("RGB"))


def test_the_first_picture_of_usr248(shared_dir):
    hr, lr = (real(shared_dir, *p, "im_xb_1032_.jpg") for p in (["HR"], ["LR_given", "X2"]))
    found = figures.compare(hr, figures.bicubic(lr, 2))
    for key, expected in zip(NAMES, _FIRST_X2):
        assert found[key] == pytest.approx(expected, abs=0.0001), key


def test_mean_psnr_of_25_pictures_of_usr248(shared_dir):
    names = sorted(path.name for path in (shared_dir / "data" / "USR248" / "HR").iterdir())
    rgb = {2: [], 4: [], 8: []}
    for name in names:
        hr = real(shared_dir, "HR", name)
        for scale, values in rgb.items():
            lr = real(shared_dir, "LR_given", "X%d" % scale, name)
            values.append(figures.psnr(hr, figures.bicubic(lr, scale)))
    means = {scale: np.mean(values) for scale, values in rgb.items()}
    assert means == pytest.approx({2: 28.6305, 4: 24.9922, 8: 22.5856}, abs=0.0001)
