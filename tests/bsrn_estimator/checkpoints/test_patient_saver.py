"""Checkpoints of version 0.1.0 from a GPU's mixed precision: a run goes on from them."""

import shutil

import numpy as np
import pytest

from bsrn_estimator.checkpoints import __main__ as checkpoints
from bsrn_estimator.checkpoints import contents, reference, restoring
from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.platforms import gpu
from bsrn_estimator.platforms.base import Platform
from tests.bsrn_estimator.platforms.test_gpu import ReplicasOnCpu, Trainer, gpus  # noqa: F401
from tests.support.checkpoints import values

pytestmark = [pytest.mark.usefixtures("gpus"), pytest.mark.timeout(900)]

# Of that version's own checkpoints; all other names were as they are.
FORMER = {name: "cond_1/" + name for name in contents.POWERS}
LOSS_SCALE = {"current_loss_scale": np.float32(2.0**13), "good_steps": np.int64(2)}


@pytest.fixture
def trainer(tmp_path):
    """Of small networks with a moving average."""
    return Trainer(tmp_path, scale_schedule="joint", ema_decay=0.5)


def _former(trainer, name):
    """Has the newest checkpoint of a run as version 0.1.0 wrote it; returns its path prefix."""
    prefix = str(trainer.folder / name / "model.ckpt-2")
    saved = {FORMER.get(name, name): value for name, value in values(prefix).items()}
    saved.update(LOSS_SCALE)
    names = sorted(saved)
    with tf.Graph().as_default(), tf.Session() as session:
        tensors = [tf.constant(saved[name]) for name in names]
        slices = [""] * len(names)
        session.run(
            tf.raw_ops.SaveV2(
                prefix=prefix, tensor_names=names, shape_and_slices=slices, tensors=tensors
            )
        )
    assert "cond_1/beta1_power" in values(prefix) and "beta1_power" not in values(prefix)
    return prefix


PLATFORMS = {"plain": Platform, "replicas": ReplicasOnCpu}
if TF2:
    PLATFORMS["mixed"] = lambda: gpu.GpuPlatform(mixed_precision=True)


@pytest.mark.parametrize("name", sorted(PLATFORMS))
def test_a_run_goes_on_with_the_state_of_adam(trainer, name):
    platform = PLATFORMS[name]()
    replicas = platform.batches_per_step
    trainer.train("run", ReplicasOnCpu() if replicas > 1 else Platform(), 4 // replicas, steps=2)
    shutil.copytree(str(trainer.folder / "run"), str(trainer.folder / "whole"))
    _former(trainer, "run")
    for folder in ("run", "whole"):
        trainer.train(folder, platform, 4 // replicas, steps=3)
    found, whole = (values(trainer.folder / f / "model.ckpt-3") for f in ("run", "whole"))
    if "mixed" in name:
        assert found.pop("current_loss_scale") == 2.0**13 and found.pop("good_steps") == 3
        assert whole.pop("current_loss_scale") == 2.0**15 and whole.pop("good_steps") == 1
    assert found.keys() == whole.keys()
    for each in whole:
        np.testing.assert_allclose(found[each], whole[each], rtol=1e-5, atol=1e-6, err_msg=each)


def test_all_that_uses_the_state_of_adam_finds_it(trainer, capsys):
    trainer.train("former", Platform(), 4, steps=2)
    prefix = _former(trainer, "former")
    assert checkpoints.main(["show", prefix]) == 0
    assert "optimizer       Adam\n" in capsys.readouterr().out
    names = reference.write_reference(prefix, prefix + "-reference")
    assert set(contents.POWERS) < set(names) == set(values(prefix + "-reference"))
    before = values(prefix)
    network = contents.network_of(prefix)
    start = restoring.initial_weights(prefix, network, with_optimizer=True, initial_step=2)
    trainer.train("from former", Platform(), 4, steps=3, start=start)
    after = values(trainer.folder / "from former" / "model.ckpt-3")
    assert after["beta1_power"] == pytest.approx(0.9 * before["cond_1/beta1_power"], rel=1e-6)
