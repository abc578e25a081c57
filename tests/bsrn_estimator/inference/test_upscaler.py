"""The upscaler: golden values, tiles against the whole, the eight transforms, memory."""

import subprocess
import sys

import numpy as np
import pytest

from bsrn_estimator.checkpoints import trained
from bsrn_estimator.errors import UserError
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.networks.choice import OutputChoice
from bsrn_estimator.pictures.picture import to_uint8
from tests.support.golden import FORWARD_BOUND, Golden


@pytest.fixture(scope="module")
def golden():
    return Golden("multi_scale")


@pytest.fixture(scope="module")
def network(golden):
    return trained.TrainedNetwork(golden.checkpoint, golden.network)


@pytest.fixture(scope="module")
def pretrained():
    """The network that comes with the project."""
    with Upscaler(trained.find("pretrained")) as upscaler:
        yield upscaler


@pytest.fixture(scope="module")
def whole(network):
    with Upscaler(network, tile=1000) as upscaler:
        yield upscaler


def _picture(height, width, seed=3):
    """Smooth enough to be like a picture, with hard edges in it."""
    random = np.random.RandomState(seed)
    rough = random.randint(0, 256, (height // 4 + 2, width // 4 + 2, 3))
    fine = np.kron(rough, np.ones((4, 4, 1)))[:height, :width]
    return np.clip(fine + random.normal(0, 6, fine.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("scale", [2, 3, 4, 8])
def test_golden_ensemble(golden, whole, scale):
    result = whole.upscale(golden.forward["lr"], scale)
    expected = golden.forward["x%d/ensemble" % scale]
    assert result.dtype == np.float32
    assert np.abs(result - expected).max() < FORWARD_BOUND


def test_golden_single_outputs(golden, network):
    lr = golden.forward["lr"]
    with Upscaler(network, OutputChoice("all"), scales=[2]) as upscaler:
        assert upscaler.names == ("ensemble",) + tuple("recursion_%02d" % n for n in (1, 2, 3, 4))
        (bands,) = upscaler.bands(lr, 2, convert=np.asarray)
    for name, band in zip(upscaler.names, bands):
        expected = golden.forward["x2/" + name.replace("_0", "")]
        assert np.abs(band - expected).max() < FORWARD_BOUND, name
    with Upscaler(network, OutputChoice("last"), scales=[2]) as upscaler:
        assert upscaler.names == ("recursion_04",)
        last = upscaler.upscale(lr, 2)
    assert np.abs(last - golden.forward["x2/recursion4"]).max() < FORWARD_BOUND


@pytest.mark.parametrize("scale,height,width", [(2, 47, 38), (3, 35, 40), (4, 50, 33)])
def test_tiles_stay_within_a_grey_level_of_the_whole(network, whole, scale, height, width):
    lr = _picture(height, width)
    expected = to_uint8(whole.upscale(lr, scale)).astype(int)
    with Upscaler(network, tile=29, scales=[scale]) as upscaler:
        assert upscaler.tiles(height, width, scale) > 3
        tiled = np.concatenate([bands[0] for bands in upscaler.bands(lr, scale)]).astype(int)
    assert np.abs(tiled - expected).max() <= 1
    # Too little context is seen, so the measure means something.
    with Upscaler(network, tile=29, overlap=1, scales=[scale]) as upscaler:
        rough = np.concatenate([bands[0] for bands in upscaler.bands(lr, scale)]).astype(int)
    assert np.abs(rough - expected).max() > 1


def test_trained_network_in_tiles(shared_dir):
    from bsrn_estimator.pictures.decoding import read_rgb

    prefix = str(shared_dir / "reference" / "trained_small" / "checkpoint" / "model.ckpt")
    network = trained.find(prefix, given=dict(recursions=8, recursion_frequency=4))
    lr = read_rgb(str(shared_dir / "data/Set5/LR_bicubic/X4/butterflyx4.png"))
    with Upscaler(network) as upscaler:
        expected = upscaler.upscale(lr, 2)
    with Upscaler(network, tile=40, scales=[2]) as upscaler:
        tiled = upscaler.upscale(lr, 2)
    assert np.abs(to_uint8(tiled) - to_uint8(expected).astype(int)).max() <= 1
    assert 0 < np.abs(tiled - expected).max() < 0.1


def test_self_ensemble_is_the_mean_over_eight_transforms(network, whole):
    lr = _picture(9, 14)
    results = []
    for flip in (False, True):
        for turns in range(4):
            turned = np.rot90(lr[:, ::-1] if flip else lr, turns)
            back = np.rot90(whole.upscale(turned, 3), -turns)
            results.append(back[:, ::-1] if flip else back)
    with Upscaler(network, self_ensemble=True, scales=[3]) as upscaler:
        result = upscaler.upscale(lr, 3)
    assert np.abs(result - np.mean(results, 0)).max() < 2e-3
    # Of a turned picture it is the turned result.
    with Upscaler(network, self_ensemble=True, scales=[3]) as upscaler:
        turned = upscaler.upscale(np.rot90(lr), 3)
    assert np.abs(np.rot90(result) - turned).max() < 2e-3


def test_weak_outputs_left_out(golden, network):
    lr = golden.forward["lr"]
    pictures = [golden.forward["x4/recursion%d" % n] for n in (3, 4)]
    with Upscaler(network, OutputChoice(first_output=2), scales=[4]) as upscaler:
        result = upscaler.upscale(lr, 4)
    expected = (pictures[0] + 2 * pictures[1]) / 3
    assert np.abs(result - expected).max() < FORWARD_BOUND
    with pytest.raises(UserError, match="--first_output must be from 0 to 3"):
        Upscaler(network, OutputChoice(first_output=4))
    with pytest.raises(UserError, match="--first_output must be at least 0"):
        OutputChoice(first_output=-1)


def test_refusals(network, whole):
    with pytest.raises(UserError, match="--scales=5: this network has x2, x3, x4, x8"):
        whole.upscale(_picture(3, 3), 5)
    with pytest.raises(UserError, match="--scales=6: this network has"):
        Upscaler(network, scales=[2, 6])
    with pytest.raises(UserError, match="--output takes ensemble or last or all"):
        OutputChoice("best")
    with pytest.raises(UserError, match="larger than 24"):
        with Upscaler(network, tile=20) as upscaler:
            upscaler.upscale(_picture(30, 19), 2)


def test_conversion_rounds_and_clips():
    values = np.array([-3.0, 0.4, 0.6, 254.6, 300.0])
    assert to_uint8(values).tolist() == [0, 0, 1, 255, 255]


_MEMORY = """
import resource, sys
import numpy as np
from bsrn_estimator.checkpoints import trained
from bsrn_estimator.inference.upscaler import Upscaler
network = trained.find(sys.argv[1], given=dict(recursions=4, recursion_frequency=2))
with Upscaler(network, tile=64) as upscaler:
    peaks = []
    for side in (100, 200, 400):
        rows = 0
        for (band,) in upscaler.bands(np.zeros((side, side, 3), np.uint8), 4):
            rows += len(band)
        assert rows == 4 * side
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
print((peaks[2] - peaks[0]) / 1024)
"""


def test_memory_does_not_grow_with_the_picture(root):
    command = [sys.executable, "-c", _MEMORY, Golden("single_scale_stateless").checkpoint]
    out = subprocess.run(command, stdout=subprocess.PIPE, cwd=str(root), check=True).stdout
    # Sixteen times the pixels; one float32 result of the largest alone would be 31 MB.
    assert float(out) < 12


@pytest.mark.parametrize("value", [255, 0, 90])
@pytest.mark.parametrize(
    "height, width", [(1, 40), (2, 40), (3, 33), (40, 1), (33, 3), (1, 1), (2, 3)]
)
def test_thin_pictures_of_one_colour_stay_so(pretrained, value, height, width):
    """The zeros around a picture of one row would outweigh it; measured with the real network."""

    def off(height, width, scale):
        flat = np.full((height, width, 3), value, np.uint8)
        result = to_uint8(pretrained.upscale(flat, scale))
        assert result.shape == (scale * height, scale * width, 3)
        return np.abs(result.astype(int) - value)

    for scale in pretrained.scales:
        thin = off(height, width, scale)
        # At most what a corner of a large picture is off by.
        assert thin.max() <= max(off(20, 20, scale).max(), 2) and thin.mean() < 1.5


def test_thin_pictures_in_small_tiles(network):
    lr = _picture(2, 50)
    with Upscaler(network, tile=1000) as whole, Upscaler(network, tile=5, overlap=2) as upscaler:
        assert upscaler.layout(2, 50, 2) == [5, 5, 2] and whole.layout(2, 50, 2) is None
        bands = [bands[0] for bands in upscaler.bands(lr, 2)]
        assert sum(len(band) for band in bands) == 4 and all(band.shape[1] == 100 for band in bands)
        # The mirrored rows beside it are what the network sees.
        expected = whole.upscale(np.pad(lr, ((8, 8), (0, 0), (0, 0)), "symmetric"), 2)[16:20]
        np.testing.assert_allclose(whole.upscale(lr, 2), expected, atol=1e-3)
