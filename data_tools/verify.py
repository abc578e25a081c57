"""Re-reads converted data from the first byte to the last and compares it with its manifest."""

import os
from typing import Any, Dict, Iterator, Optional, Set, Tuple

from bsrn_estimator.data.example import decode_example
from bsrn_estimator.data.manifest import Manifest, Shard
from bsrn_estimator.data.records import CHANNELS, RGB
from bsrn_estimator.data.tfrecord import CorruptRecord, index_shard, read_record
from bsrn_estimator.data.tiles import tiles_of
from bsrn_estimator.errors import UserError, printable
from bsrn_estimator.pictures.decoding import picture_size
from bsrn_estimator.progress import Progress, progress
from data_tools.output import load_manifest, shards_in
from data_tools.places import storage_of
from data_tools.storage import file_crc


def verify(folder: str) -> Manifest:
    """Checks every shard's size, checksum and count, and every record's checksum and geometry.

    Returns:
      The manifest, which holds.

    Raises:
      UserError: something is missing, too much, or not what was written; names the file and the
        record.
    """
    manifest = load_manifest(folder)
    extra = sorted(shards_in(folder) - {shard.name for shard in manifest.shards})
    if extra:
        raise UserError(
            "%s is not in the manifest beside it; remove it" % os.path.join(folder, extra[0])
        )
    keys: Set[bytes] = set()
    names: Set[bytes] = set()
    storage = storage_of(folder)
    with progress(None, manifest.records, "Verifying", "records") as bar:
        for shard in manifest.shards:
            with storage.local(shard.name) as path:
                try:
                    _verify_shard(path, shard, manifest, keys, names, bar)
                except CorruptRecord as error:
                    if path == storage.path(shard.name):
                        raise
                    # Of a copy, which nobody has seen.
                    message = str(error).replace(path, storage.path(shard.name))
                    raise UserError(message) from None
    if len(names) != manifest.pictures:
        raise UserError(
            "%s holds %d pictures where its manifest says %d; convert it again with --overwrite"
            % (printable(folder), len(names), manifest.pictures)
        )
    return manifest


def _verify_shard(
    path: str,
    shard: Shard,
    manifest: Manifest,
    keys: Set[bytes],
    names: Set[bytes],
    bar: Progress,
) -> None:
    offsets, lengths = index_shard(path)
    if len(offsets) != shard.records:
        raise CorruptRecord(
            path,
            None,
            "it holds %d records where the manifest says %d" % (len(offsets), shard.records),
        )
    areas = _areas(manifest, shard)
    for number, place in enumerate(zip(offsets, lengths)):
        data = read_record(path, *place, number)
        _verify_record(path, number, data, manifest, next(areas, None), keys, names)
        bar.update()
    if file_crc(path)[1] != shard.crc32c:
        raise CorruptRecord(path, None, "its checksum is not that of the manifest")


def _areas(manifest: Manifest, shard: Shard) -> Iterator[Tuple[int, ...]]:
    """What each record of a shard shows: y, x, height and width; nothing where none is told."""
    for size in shard.picture_sizes:
        if manifest.kind == "evaluation":
            yield (0, 0) + size
            continue
        for tile in tiles_of(size, manifest.tile_size, manifest.overlap, manifest.scales):
            yield tile[:4]


def _verify_record(
    path: str,
    number: int,
    data: bytes,
    manifest: Manifest,
    area: Optional[Tuple[int, ...]],
    keys: Set[bytes],
    names: Set[bytes],
) -> None:
    try:
        features: Dict[str, Any] = {
            name: values[0] for name, values in decode_example(data).items()
        }
        key = features["image/key"]
        problem = _geometry_problem(features, manifest, area)
        names.add(features["image/name"])
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise CorruptRecord(
            path, number, "it is not a record of this format (%s)" % error
        ) from None
    if problem is None and key in keys:
        problem = "its key %s is not unique" % printable(key.decode())
    if problem:
        raise CorruptRecord(path, number, problem)
    keys.add(key)


def _geometry_problem(features: Dict, manifest: Manifest, area: Optional[Tuple[int, ...]]):
    """What does not fit together in one record, or with the area that it is to show, or None."""
    height, width = features["image/height"], features["image/width"]
    found = (features["image/y"], features["image/x"], height, width)
    if area is not None and found != area:
        return "it shows %dx%d pixels at %d,%d, not the part that its manifest tells" % (
            width,
            height,
            found[1],
            found[0],
        )
    if features["image/format"] != manifest.encoding.encode():
        return "its encoding is not %s" % manifest.encoding
    if features.get(CHANNELS, RGB) not in (1, RGB):
        return "its HR file cannot have had %s channels" % features[CHANNELS]
    sizes = {"image/hr": (height, width)}
    for scale in manifest.scales:
        name = "image/lr_x%d" % scale
        sizes[name] = (features[name + "/height"], features[name + "/width"])
        if sizes[name] != (height // scale, width // scale):
            return "its LR picture of scale %d does not fit its HR picture" % scale
        if manifest.kind == "training" and (height % scale or width % scale):
            return "its size is not a multiple of %d" % scale
    for name, size in sizes.items():
        encoded = features[name + "/encoded"]
        if manifest.encoding == "raw":
            whole = len(encoded) == size[0] * size[1] * 3
        else:
            whole = picture_size(encoded, max_pixels=2**62) == size
        if not whole:
            return "%s is not of the size that the record gives" % name
    return None
