"""The networks that come with the project: what they are, how good, how commands find them."""

import io
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import skimage
from PIL import Image

from bsrn_estimator.checkpoints import CLEAN, PHOTO, PRETRAINED, SHIPPED, contents, trained
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.compat import TF2
from bsrn_estimator.evaluation import metrics
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.networks.precision import BFLOAT16
from bsrn_estimator.pictures import imresize
from bsrn_estimator.pictures.decoding import read_rgb
from bsrn_estimator.pictures.picture import to_uint8
from tests.support import checkpoints

SCALES = (2, 3, 4)


@pytest.fixture(scope="module")
def upscaler():
    with Upscaler(trained.find(PRETRAINED)) as upscaler:
        yield upscaler


@pytest.fixture(scope="module")
def mixed():
    """It in bfloat16; the processor may have to work out what others have instructions for."""
    if not TF2:
        pytest.skip("TensorFlow 1.15 has no such convolutions on a CPU")
    with Upscaler(trained.find(PRETRAINED, precision=BFLOAT16)) as upscaler:
        yield upscaler


@pytest.fixture(scope="module")
def figures(root):
    """PSNR on Y in dB, as both runtimes gave it: {set: {scale: value}}."""
    return json.loads((root / "tests/data/pretrained_psnr.json").read_text())


@pytest.mark.parametrize("word", SHIPPED)
def test_it_is_small_and_holds_weights_alone(word):
    folder = checkpoint_files.SHIPPED_FOLDERS[word]
    sizes = {name: os.path.getsize(os.path.join(folder, name)) for name in os.listdir(folder)}
    models = [size for name, size in sizes.items() if name.startswith("bsrn_x")]
    assert sum(sizes.values()) - sum(models) <= 1.5e6 and max(models) <= 1.5e6
    network = trained.find(word)
    description = contents.describe(network.prefix)
    assert network.scales == SCALES
    assert sorted(description.shapes) == description.weights
    assert description.parameters == network.network.parameters()


@pytest.mark.parametrize("word", SHIPPED)
def test_the_model_card_has_the_numbers_of_the_network(word):
    network = trained.find(word).network
    with open(os.path.join(checkpoint_files.SHIPPED_FOLDERS[word], "MODEL_CARD.md")) as file:
        card = file.read()
    assert format(network.parameters(), ",d") in card
    for scale in SCALES:
        adds = network.multiply_adds(scale, form="ensemble")
        assert "%.1f G" % (adds / 1e9) in card


def _photograph(name):
    return read_rgb(os.path.join(os.path.dirname(skimage.__file__), "data", name))


@pytest.mark.parametrize("scale", SCALES)
def test_a_photograph_that_it_never_saw(upscaler, figures, scale):
    hr = _photograph("chelsea.png")
    hr = hr[: hr.shape[0] // 12 * 12, : hr.shape[1] // 12 * 12]
    lr = imresize.shrink(hr, scale)
    psnr = metrics.psnr(hr, to_uint8(upscaler.upscale(lr, scale)), shave=scale)
    assert psnr == pytest.approx(figures["chelsea"][str(scale)], abs=0.01)
    assert psnr > metrics.psnr(hr, imresize.enlarge(lr, scale), shave=scale) + 0.5


def _through_jpeg(picture, quality):
    """What a reader gets of a picture that was saved as JPEG with 4:2:0."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, "JPEG", quality=quality, subsampling=2)
    return read_rgb(stream.getvalue())


@pytest.mark.parametrize("scale", SCALES)
def test_the_network_for_photographs_undoes_jpeg_where_the_other_sharpens_it(scale, upscaler):
    hr = _photograph("chelsea.png")
    hr = hr[: hr.shape[0] // 12 * 12, : hr.shape[1] // 12 * 12]
    lr = _through_jpeg(imresize.shrink(hr, scale), 75)
    with Upscaler(trained.find(PHOTO), scales=[scale]) as photo:
        psnr = metrics.psnr(hr, to_uint8(photo.upscale(lr, scale)), shave=scale)
    clean = metrics.psnr(hr, to_uint8(upscaler.upscale(lr, scale)), shave=scale)
    bicubic = metrics.psnr(hr, imresize.enlarge(lr, scale), shave=scale)
    # Fur and little else: a picture of edges gains over bicubic by ten times as much.
    assert psnr > clean + 0.25 and psnr > bicubic + 0.05, (psnr, clean, bicubic)


@pytest.mark.parametrize("scale", SCALES)
def test_set5(upscaler, figures, shared_dir, scale):
    value = _set5_psnr(upscaler, shared_dir, scale)
    assert value == pytest.approx(figures["set5"][str(scale)], abs=0.01)
    # SRCNN as published, with the same protocol.
    assert value > {2: 36.66, 3: 32.75, 4: 30.48}[scale]


@pytest.mark.parametrize("scale", SCALES)
def test_what_bfloat16_costs_on_set5(mixed, upscaler, shared_dir, scale):
    exact, value = (_set5_psnr(one, shared_dir, scale) for one in (upscaler, mixed))
    assert exact != value
    assert value > exact - 0.01


def _set5_psnr(upscaler, shared_dir, scale):
    values = []
    for path in sorted((shared_dir / "data/Set5/HR").glob("*.png")):
        lr = shared_dir / ("data/Set5/LR_bicubic/X%d/%sx%d.png" % (scale, path.stem, scale))
        result = to_uint8(upscaler.upscale(read_rgb(str(lr)), scale))
        hr = read_rgb(str(path))[: result.shape[0], : result.shape[1]]
        values.append(metrics.psnr(hr, result, shave=scale))
    assert len(values) == 5
    return np.mean(values)


def _command(root, folder, *arguments):
    environment = dict(os.environ, PYTHONPATH=str(root))
    return subprocess.run(
        [sys.executable, "-m", "bsrn_estimator.main"] + list(arguments),
        cwd=str(folder),
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.mark.parametrize(
    "named, word",
    [([], CLEAN), (["--checkpoint=pretrained"], PRETRAINED), (["--checkpoint=photo"], PHOTO)],
)
def test_predict_takes_it_where_nothing_was_trained(root, tmp_path, named, word):
    lr = _photograph("chelsea.png")[100:137, 120:161]
    Image.fromarray(lr).save(str(tmp_path / "eye.png"))
    # A folder of that name is not what the word means.
    (tmp_path / word).mkdir()
    done = _command(
        root,
        tmp_path,
        "--mode=predict",
        "--input=eye.png",
        "--scales=3",
        *named,
        "--nomixed_precision",
    )
    assert done.returncode == 0, done.stderr
    said = checkpoint_files.SHIPPED_FOLDERS[word] if named else "auto, clean for 1 picture, run by"
    assert "network: " + said in done.stdout
    result = read_rgb(str(tmp_path / "upscaled/x3/eye.png"))
    with Upscaler(trained.find(word), scales=[3]) as upscaler:
        expected = to_uint8(upscaler.upscale(lr, 3))
    assert np.abs(result.astype(int) - expected).max() <= 1


def test_export_writes_outside_the_project_and_the_next_command_still_works(root, tmp_path):
    held = sorted(os.listdir(checkpoint_files.SHIPPED_FOLDERS[PRETRAINED]))
    for arguments in (["--export_format=frozen", "--scales=2"], ["--export_format=saved_model"]):
        done = _command(root, tmp_path, "--mode=export", *arguments)
        assert done.returncode == 0, done.stderr
    export = tmp_path / "runs/pretrained/export"
    assert (export / "bsrn_x2.pb").exists()
    assert (
        export / ("saved_model/%d/saved_model.pb" % checkpoints.shipped_step(PRETRAINED))
    ).exists()
    assert not (tmp_path / "runs/bsrn").exists()
    assert sorted(os.listdir(checkpoint_files.SHIPPED_FOLDERS[PRETRAINED])) == held


def test_what_is_made_of_it_is_not_kept_beside_it():
    prefix = checkpoint_files.resolve(PRETRAINED)
    assert checkpoint_files.results_folder(prefix) == os.path.join("runs", "pretrained")
    other = os.path.join("runs", "x", "model.ckpt-7")
    assert checkpoint_files.results_folder(other) == os.path.join("runs", "x")
