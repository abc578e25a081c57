"""Small data sets whose pixels say where they come from."""

import io
import os

import numpy as np
from PIL import Image

from bsrn_estimator.data import example, records, tfrecord
from bsrn_estimator.data.manifest import Manifest

# Odd ones, one larger than the rest; multiples of 12, so that scales 2, 3 and 4 fit.
SIZES = ((36, 48), (24, 24), (60, 36), (24, 72), (48, 48), (36, 24), (48, 60))
SCALES = (2, 3, 4)


def coordinates(height, width, number):
    """A picture whose pixel at (y, x) is (y, x, number): uint8 [height, width, 3]."""
    y, x = np.mgrid[:height, :width]
    return np.stack([y, x, np.full_like(y, number)], axis=-1).astype(np.uint8)


def encode(pixels, encoding):
    """The bytes of `pixels` as they stand in a record."""
    if encoding == "raw":
        return pixels.tobytes()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write(folder, hrs, lrs, encoding="png", kind="training", shards=2, patch_size=0):
    """Writes a data set, one record a picture.

    Args:
      folder: where to, a pathlib.Path.
      hrs: uint8 arrays [height, width, 3].
      lrs: for each of them {scale: uint8 array}.
      encoding: "png" or "raw".
      kind: "training" or "evaluation".
      shards: number of files; the records are dealt out as evenly as can be.
      patch_size: what the manifest says of the largest LR patch.

    Returns:
      The folder's name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, part in enumerate(np.array_split(np.arange(len(hrs)), shards)):
        path = str(folder / tfrecord.shard_name("train", number, shards))
        with tfrecord.ShardWriter(path) as writer:
            for record in part:
                writer.write(_example("%04d" % record, encoding, hrs[record], lrs[record]))
        written.append(writer.shard)
    scales = tuple(sorted(lrs[0]))
    made = Manifest(
        format_version=1,
        dataset="coordinates",
        split="train",
        kind=kind,
        scales=scales,
        encoding=encoding,
        tile_size=0,
        overlap=0,
        pictures=len(hrs),
        records=len(hrs),
        skipped=0,
        shards=tuple(written),
        patch_size=patch_size,
    )
    made.save(str(folder))
    return str(folder)


def write_coordinates(folder, **options):
    """A data set of one record for each of SIZES, made of `coordinates`, at SCALES."""
    hrs = [coordinates(*size, number) for number, size in enumerate(SIZES)]
    lrs = [
        {s: coordinates(height // s, width // s, number) for s in SCALES}
        for number, (height, width) in enumerate(SIZES)
    ]
    return write(folder, hrs, lrs, **options)


def spoil(data_dir, record, what="data"):
    """Flips a byte of one record of a data set: of its "data", or of its "length".

    Returns:
      (path of the shard, number of the record in it).
    """
    manifest = Manifest.load(data_dir)
    for shard in manifest.shards:
        if record < shard.records:
            path = os.path.join(data_dir, shard.name)
            offset = int(tfrecord.index_shard(path)[0][record])
            with open(path, "r+b") as file:
                file.seek(offset + (20 if what == "data" else -tfrecord.HEADER_BYTES))
                byte = file.read(1)[0]
                file.seek(-1, os.SEEK_CUR)
                file.write(bytes([byte ^ 0x10]))
            return path, record
        record -= shard.records
    raise IndexError(record)


def _example(key, encoding, hr, lr):
    features = records.image_features(
        key,
        key,
        encoding,
        (0, 0),
        (encode(hr, encoding),) + hr.shape[:2],
        {scale: (encode(lr[scale], encoding),) + lr[scale].shape[:2] for scale in lr},
    )
    return example.encode_example(features)
