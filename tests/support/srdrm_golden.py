"""What Keras computed with the authors' model of SRDRM: the golden values in tests/data/srdrm.

    python -m tests.support.srdrm_golden FOLDER

makes them anew, in the environment `tf1` (tf.keras of TensorFlow 1.15). FOLDER has the authors'
published x2_srdrm.json, x2_srdrm.h5, x2_srdrm-gan.h5 and x4_srdrm.json. Nothing of this project's
network takes part; weights that are not published are drawn by numpy.
"""

import json
import pathlib
import sys
from typing import Dict, Iterable, List, Tuple

import numpy as np

from tests.support import tiny

FILE = pathlib.Path(__file__).resolve().parents[1] / "data" / "srdrm" / "keras.npz"
PUBLISHED = ("x2_srdrm", "x2_srdrm-gan")
# Batch norms, counted from 1, whose averages are in the file: of either momentum.
NORMS = (1, 17)


def load() -> Dict[str, np.ndarray]:
    """The golden values: "x2", "x2_training", "x4" with `random_weights`, and `PUBLISHED`; float32
    in -1..1; and "mean_1", "variance_1", "mean_17", "variance_17" after one step of x2."""
    with np.load(str(FILE)) as file:
        return {name: file[name] for name in file.files}


def picture() -> np.ndarray:
    """The LR pictures of all: uint8 [2, 9, 11, 3]."""
    return np.stack([tiny.picture(seed, 9, 11) for seed in (1, 2)])


def random_weights(named: Iterable[Tuple[str, Tuple[int, ...]]]) -> List[np.ndarray]:
    """Weights for layers in the order of Keras.

    Args:
      named: Keras's name of each, such as "kernel", and its shape.
    """
    draw = np.random.RandomState(7)
    bounds = {"bias": (-0.1, 0.1), "gamma": (0.5, 1.5), "beta": (-0.3, 0.3)}
    bounds.update(moving_mean=(-0.5, 0.5), moving_variance=(0.5, 2.0))
    made = []
    for name, shape in named:
        reach = (3.0 / np.prod(shape[:-1])) ** 0.5
        low, high = bounds.get(name, (-reach, reach))
        made.append(draw.uniform(low, high, shape).astype(np.float32))
    return made


def _main(folder: pathlib.Path) -> None:
    lr = picture().astype(np.float32) / np.float32(127.5) - 1
    found = {}
    for name in ("x2", "x4"):
        found[name] = _computed(folder / (name + "_srdrm.json"), lr)[0]
    found["x2_training"], norms = _computed(folder / "x2_srdrm.json", lr, training=True)
    found.update(norms)
    for name in PUBLISHED:
        found[name] = _computed(folder / "x2_srdrm.json", lr, str(folder / (name + ".h5")))[0]
    FILE.parent.mkdir(exist_ok=True)
    np.savez_compressed(str(FILE), **found)


def _computed(architecture: pathlib.Path, lr: np.ndarray, weights: str = "", training=False):
    import tensorflow as tf  # that of 1.15, whose Keras this is about

    keras = tf.keras
    keras.backend.clear_session()
    keras.backend.set_learning_phase(int(training))
    said = json.loads(architecture.read_text())
    said["config"]["layers"][0]["config"]["batch_input_shape"] = [None, None, None, 3]
    model = keras.models.model_from_json(json.dumps(said))
    if weights:
        model.load_weights(weights)
    else:
        variables = [v for layer in model.layers for v in layer.weights]
        named = [(v.name.split("/")[-1][:-2], tuple(v.shape.as_list())) for v in variables]
        model.set_weights(random_weights(named))
    session = keras.backend.get_session()
    result = session.run([model.output] + model.updates * training, {model.input: lr})[0]
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    moved = {}
    for number in NORMS:
        values = norms[number - 1].get_weights()
        moved["mean_%d" % number], moved["variance_%d" % number] = values[2:]
    return result, moved


if __name__ == "__main__":
    _main(pathlib.Path(sys.argv[1]))
