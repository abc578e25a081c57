"""Small picture sets made on the spot, and converted data read back without TensorFlow."""

import io
import os
import pathlib

import numpy as np
from PIL import Image

from bsrn_estimator.data.example import decode_example
from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.data.tfrecord import index_shard, read_record
from bsrn_estimator.pictures.imresize import shrink


def picture(height, width, seed):
    """uint8 [height, width, 3] with some structure, so that PNG makes it smaller."""
    random = np.random.RandomState(seed)
    coarse = random.randint(0, 256, (height // 5 + 1, width // 5 + 1, 3))
    fine = np.kron(coarse, np.ones((5, 5, 1)))[:height, :width]
    return np.clip(fine + random.randint(-9, 9, fine.shape), 0, 255).astype(np.uint8)


def save(pixels, *parts):
    """Writes a picture file, its folders included, and returns its path."""
    path = os.path.join(*[str(part) for part in parts])
    os.makedirs(os.path.dirname(path), exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def div2k(root, sizes, scales=(2, 3, 4), split="train"):
    """A set in the layout of DIV2K; returns name to HR pixels."""
    pictures = {}
    for number, (height, width) in enumerate(sizes):
        name = "%04d" % (801 + 3 * number)
        pictures[name] = picture(height, width, number)
        save(pictures[name], root, "DIV2K_%s_HR" % split, name + ".png")
        for s in scales:
            folder = "DIV2K_%s_LR_bicubic" % split
            save(shrink(pictures[name], s), root, folder, "X%d" % s, "%sx%d.png" % (name, s))
    return pictures


def usr248(root, sizes, scales=(2, 4, 8), part="train_val"):
    """A set in the layout of USR-248, of JPEG files; returns the names in their order."""
    names = ["im_xb_%d_" % (331 + 7 * number) for number in range(len(sizes))]
    for number, (name, (height, width)) in enumerate(zip(names, sizes)):
        pixels = picture(height, width, number)
        save(pixels, root, part, "hr", name + ".jpg")
        for s in scales:
            save(shrink(pixels, s), root, part, "lr_%dx" % s, name + ".jpg")
    return sorted(names)


def folder(root, sizes):
    """Pictures a00.png, a01.png, ... in one folder; returns name to HR pixels."""
    pictures = {"a%02d" % n: picture(h, w, n) for n, (h, w) in enumerate(sizes)}
    for name, pixels in pictures.items():
        save(pixels, root, name + ".png")
    return pictures


def read_back(data_dir):
    """The features of every record, in order, `pixels` replacing what is encoded."""
    manifest = Manifest.load(str(data_dir))
    records = []
    for shard in manifest.shards:
        path = os.path.join(str(data_dir), shard.name)
        for place in zip(*index_shard(path)):
            features = {k: v[0] for k, v in decode_example(read_record(path, *place)).items()}
            record = {
                name[6:]: value.decode() if isinstance(value, bytes) else value
                for name, value in features.items()
                if not name.endswith("/encoded")
            }
            sizes = {"hr": (record["height"], record["width"])}
            for scale in manifest.scales:
                lr = "lr_x%d" % scale
                sizes[lr] = (record[lr + "/height"], record[lr + "/width"])
            for name, size in sizes.items():
                encoded = features["image/%s/encoded" % name]
                if record["format"] == "raw":
                    record[name] = np.frombuffer(encoded, np.uint8).reshape(size + (3,))
                else:
                    record[name] = np.asarray(Image.open(io.BytesIO(encoded)))
                assert record[name].shape == size + (3,)
            records.append(record)
    assert len(records) == manifest.records
    return records


def contents(data_dir):
    """File name to bytes."""
    return {
        name: pathlib.Path(str(data_dir), name).read_bytes()
        for name in sorted(os.listdir(str(data_dir)))
    }
