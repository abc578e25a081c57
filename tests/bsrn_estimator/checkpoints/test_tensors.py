"""Arrays written as a checkpoint."""

import numpy as np

from bsrn_estimator.checkpoints import tensors
from bsrn_estimator.compat import tf


def test_arrays_come_back(tmp_path):
    values = {"a/b": np.arange(6, dtype=np.float32).reshape(2, 3), "step": np.array(7, np.int64)}
    prefix = str(tmp_path / "some")
    tensors.save(prefix, values)
    reader = tf.train.load_checkpoint(prefix)
    assert set(reader.get_variable_to_shape_map()) == set(values)
    for name, value in values.items():
        found = reader.get_tensor(name)
        assert found.dtype == value.dtype and (found == value).all()
