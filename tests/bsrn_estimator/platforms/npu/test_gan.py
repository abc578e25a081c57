"""SRDRM-GAN for the NPU under the test double: three updates in one compiled graph."""

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from tests import npu_double
from tests.support import in_process, refusals, tiny


@pytest.fixture
def arguments(tmp_path):
    """The flags of a run of two steps."""
    data = tiny.write_records(tmp_path / "train", "training", [(40, 44)], scales=(2,))
    return [
        "--use_npu",
        "--network=srdrm_gan",
        "--content_loss=mse",
        "--mode=train",
        "--data_dir=" + data,
        "--batch_size=1",
        "--patch_size=6",
        "--train_steps=2",
        "--save_checkpoints_steps=2",
        "--model_dir=%s" % (tmp_path / "run"),
    ]


@pytest.mark.parametrize("build", npu_double.BUILDS[-1:])
def test_three_updates_fit(build, install, arguments, tmp_path):
    recorded = install(build)
    assert in_process.run(arguments + ["--loss_scale=none"]) == 0
    (line,) = recorded()
    assert (line["kind"], line["runs"], line["fetch_sets"]) == ("train", 2, 1)
    reader = tf.train.load_checkpoint(str(tmp_path / "run"))
    assert reader.get_tensor("beta1_power") == np.float32(0.5) ** 7
    assert np.isfinite(reader.get_tensor("discriminator/dense_2/kernel/Adam")).all()


def test_a_scaled_loss_is_refused(install, arguments, capsys, tmp_path):
    install(npu_double.BUILDS[-1])
    assert in_process.run(arguments) == 2
    sentence = refusals.sentence(capsys.readouterr().err)
    assert "with --use_npu give --loss_scale=none" in sentence
    assert not (tmp_path / "run").exists()
