"""Small records and a small network, for tests of whatever trains or evaluates."""

import io
import os

import numpy as np
from PIL import Image

from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.config import Recipe
from bsrn_estimator.data import records, tfrecord
from bsrn_estimator.data.example import encode_example
from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.networks.bsrn import Bsrn
from bsrn_estimator.pictures import imresize

# A network that trains in milliseconds.
NETWORK = Bsrn(
    scales=(2, 3), conv_features=5, state_features=3, recursions=4, recursion_frequency=2
)
CONFIG = Config(NETWORK, Recipe(batch_size=3, patch_size=7))


def config(**values) -> Config:
    """A configuration of some fields of either kind; the others take their defaults."""
    return Config.from_dict(values)


# The flags of a network that trains in milliseconds.
NETWORK_FLAGS = [
    "--conv_features=5",
    "--state_features=3",
    "--recursions=4",
    "--recursion_frequency=2",
    "--batch_size=3",
    "--patch_size=7",
    "--learning_rate=1e-3",
]


def picture(seed: int, height: int, width: int) -> np.ndarray:
    """A picture with slopes, edges and a little noise: uint8 [height, width, 3]."""
    noise = np.random.RandomState(seed)
    y, x = np.mgrid[:height, :width].astype(np.float64)
    waves = [
        np.sin(x * noise.uniform(0.02, 0.4) + y * noise.uniform(0.02, 0.4) + noise.uniform(0, 6))
        for _ in range(3)
    ]
    smooth = 127 + 90 * np.stack(waves, axis=-1)
    smooth[y > x * noise.uniform(0.5, 2)] *= 0.6
    return np.clip(smooth + noise.normal(0, 2, smooth.shape), 0, 255).astype(np.uint8)


def write_records(folder, kind: str, sizes, scales=(2, 3, 4)) -> str:
    """Writes one shard of synthetic pictures of `sizes`; returns the folder as a string."""
    folder = str(folder)
    os.makedirs(folder)
    split = "train" if kind == "training" else "test"
    multiple = int(np.lcm.reduce(scales))
    with tfrecord.ShardWriter(os.path.join(folder, tfrecord.shard_name(split, 0, 1))) as writer:
        for number, (height, width) in enumerate(sizes):
            hr = picture(number, height // multiple * multiple, width // multiple * multiple)
            lr = {scale: imresize.shrink(hr, scale) for scale in scales}
            features = records.image_features(
                key="picture%d" % number,
                name="picture%d" % number,
                encoding="png",
                origin=(0, 0),
                hr=(_png(hr),) + hr.shape[:2],
                lr={scale: (_png(small),) + small.shape[:2] for scale, small in lr.items()},
            )
            writer.write(encode_example(features))
    training = kind == "training"
    Manifest(
        format_version=1,
        dataset="tiny",
        split=split,
        kind=kind,
        scales=tuple(scales),
        encoding="png",
        tile_size=480 if training else 0,
        overlap=0,
        pictures=len(sizes),
        records=len(sizes),
        skipped=0,
        shards=(writer.shard,),
        patch_size=8 if training else 0,
    ).save(folder)
    return folder


def _png(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "png")
    return stream.getvalue()
