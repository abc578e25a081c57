"""SRDRM on the NPU, under the strict test double: batch norm in a graph of static shapes."""

import numpy as np

from bsrn_estimator.compat import tf
from tests.support import in_process, tiny


def weights(model_dir):
    """{name: value} of the newest checkpoint."""
    reader = tf.train.load_checkpoint(tf.train.latest_checkpoint(model_dir))
    return {name: reader.get_tensor(name) for name in reader.get_variable_to_shape_map()}


def test_trains_a_network_with_batch_norms(install, tmp_path):
    recorded = install("master")
    data = tiny.write_records(tmp_path / "data", "training", [(41, 50), (37, 45)], scales=(2,))
    run = ["--mode=train", "--network=srdrm", "--batch_size=2", "--patch_size=5", "--scales=2"]
    run += ["--data_dir=" + data, "--save_checkpoints_steps=1", "--loss_scale=dynamic"]
    # Weights that both start from: their first values depend on the operations before them.
    first = str(tmp_path / "first")
    start = [flag for flag in run if "loss_scale" not in flag] + ["--device=cpu"]
    assert in_process.run(start + ["--train_steps=1", "--model_dir=" + first]) == 0
    run += ["--checkpoint=" + first, "--train_steps=2"]
    found = []
    for device in (["--use_npu"], ["--device=cpu", "--scale_schedule=joint"]):
        folder = str(tmp_path / device[0].strip("-"))
        given = [flag for flag in run if device[0] == "--use_npu" or "loss_scale" not in flag]
        assert in_process.run(given + device + ["--model_dir=" + folder]) == 0
        found.append(weights(folder))
    assert recorded()[0]["fetch_sets"] == 1 and len(recorded()) == 1
    npu, cpu = found
    assert set(npu) - set(cpu) == {"loss_scale", "good_steps", "bad_steps"}
    assert any("moving_mean" in name for name in cpu)
    for name, value in cpu.items():
        # Before a batch norm the gradient of a bias is 0; Adam makes steps of what rounding leaves.
        if name.split("/bias")[0] + "/batch_norm/gamma" in cpu:
            continue
        largest = np.abs(value).max()
        np.testing.assert_allclose(npu[name], value, rtol=1e-3, atol=1e-3 * largest, err_msg=name)
