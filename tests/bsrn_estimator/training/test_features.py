"""What training a GAN needs beside the data, and on which devices it cannot be trained."""

import h5py
import numpy as np
import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.networks import vgg19
from bsrn_estimator.networks.srdrm import Srdrm
from bsrn_estimator.networks.srdrm_gan import SrdrmGan
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.training import features
from bsrn_estimator.training.options import TrainingOptions
from tests.support import in_process, tiny


@pytest.fixture
def small(monkeypatch, tmp_path):
    """The path of a file for a smaller VGG19."""
    monkeypatch.setattr(vgg19, "BLOCKS", ((1, 2), (1, 3)))
    path = str(tmp_path / "vgg.h5")
    with h5py.File(path, "w") as file:
        for name, shapes in vgg19.shapes().items():
            for part, shape in zip(("W", "b"), shapes):
                file["%s/%s_%s_1:0" % (name, name, part)] = np.zeros(shape, np.float32)
    return path


def test_the_checksum_goes_into_the_configuration_and_is_told(small, capsys):
    network = features.prepare(SrdrmGan(), TrainingOptions(vgg19_weights=small))
    assert network.vgg19_md5 == vgg19.md5(small)
    error = capsys.readouterr().err
    assert error.startswith(
        "warning: --vgg19_weights=%s has the MD5 %s" % (small, vgg19.md5(small))
    )
    assert "253f8cb515780f3b799900260a226db6" in error


def test_a_known_file_is_taken_without_a_word(small, capsys, monkeypatch):
    monkeypatch.setattr(vgg19, "KNOWN_MD5", (vgg19.md5(small),))
    features.prepare(SrdrmGan(), TrainingOptions(vgg19_weights=small))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("network", [SrdrmGan(content_loss="mse"), SrdrmGan(content_loss="none")])
def test_no_file_is_needed_without_features(network, small):
    assert features.prepare(network, TrainingOptions()) is network
    with pytest.raises(UserError, match="--vgg19_weights is for --network=srdrm_gan with"):
        features.prepare(network, TrainingOptions(vgg19_weights=small))


def test_devices_that_cannot(small):
    several, ranks, skipping = Platform(), Platform(), Platform()
    several.batches_per_step, ranks.rank_size, skipping.may_skip_steps = 2, 2, True
    for platform, advice in (
        (several, "leave --replicas and TF_CONFIG out"),
        (ranks, "start one process"),
        (skipping, "leave --mixed_precision out; with --use_npu give --loss_scale=none"),
    ):
        with pytest.raises(UserError, match="makes three updates in a step, .*" + advice):
            features.check(SrdrmGan(), platform)
        features.check(Srdrm(), platform)
    features.check(SrdrmGan(), Platform())


def test_refused_before_anything_is_written(tmp_path, capsys):
    data = tiny.write_records(tmp_path / "train", "training", [(40, 44)], scales=(2,))
    given = ["--network=srdrm_gan", "--mode=train", "--data_dir=" + data, "--device=cpu"]
    given += ["--patch_size=6", "--model_dir=%s" % (tmp_path / "run")]
    for arguments, message in (
        (given, "--content_loss=mse compares pixels in their place, --content_loss=none leaves"),
        (given + ["--vgg19_weights=/absent.h5"], "--vgg19_weights=/absent.h5"),
        (given[1:] + ["--content_loss=mse"], "--content_loss is of --network=srdrm_gan"),
    ):
        assert in_process.run(arguments) == 2
        assert message in capsys.readouterr().err
    in_process.reset()
    assert not (tmp_path / "run").exists()
