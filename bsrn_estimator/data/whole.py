"""Whole pictures as the elements of training: which data sets have them, and how one is read."""

from typing import Dict, Sequence, Tuple

from bsrn_estimator.compat import tf
from bsrn_estimator.config import Recipe
from bsrn_estimator.data import augmentation, parsing, sampling
from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.data.reader import RecordReader
from bsrn_estimator.data.tiles import common_multiple, tiles_of
from bsrn_estimator.errors import UserError

_LISTED = 3


def size_of(
    manifest: Manifest, source: str, scales: Sequence[int], recipe: Recipe
) -> Tuple[int, int]:
    """Height and width of every HR picture of a set of training records, as a batch needs them.

    Args:
      manifest: of the records; each has to be a tile that is a whole picture, but for what the
        picture has beyond a multiple of the scales' least common multiple.
      source: names the data in messages.
      scales: the scales that are trained.
      recipe: how.

    Raises:
      UserError: the scales cannot be trained in one batch, the pictures are in several tiles or of
        several sizes, or the manifest does not tell their sizes.
    """
    if len(scales) > 1 and recipe.scale_schedule == "joint":
        raise UserError(
            "--crops=whole has LR pictures of another size at each scale, which "
            "--scale_schedule=joint cannot put into one batch; give one scale in --scales"
        )
    if manifest.format_version < 2:
        raise UserError(
            "%s does not tell the sizes of its pictures, which --crops=whole needs; convert it "
            "again with --overwrite" % source
        )
    sizes = sorted({size for shard in manifest.shards for size in shard.picture_sizes})
    multiple = common_multiple(manifest.scales)
    wholes = sorted({tuple(side // multiple * multiple for side in size) for size in sizes})
    if len(wholes) > 1:
        raise UserError(
            "--crops=whole takes pictures of one size, and %s has %s%s; convert those of one size "
            "alone, or give --crops=patches"
            % (
                source,
                ", ".join("%dx%d" % (width, height) for height, width in sizes[:_LISTED]),
                ", ..." if len(sizes) > _LISTED else "",
            )
        )
    height, width = wholes[0]
    tiles = list(tiles_of((height, width), manifest.tile_size, manifest.overlap, manifest.scales))
    if len(tiles) > 1:
        raise UserError(
            "--crops=whole needs each picture in one tile, and %s has %d of each picture of "
            "%dx%d; convert it again with --tile_size=%d"
            % (source, len(tiles), width, height, max(height, width))
        )
    return height, width


def element(
    reader: RecordReader,
    stream: sampling.Stream,
    number: tf.Tensor,
    recipe: Recipe,
    size: Tuple[int, int],
) -> Tuple[Dict[str, tf.Tensor], ...]:
    """The one element of a visit that takes a whole picture: "lr", "hr" and "key".

    Args:
      reader: of the records.
      stream: whose visit it is.
      number: int64 scalar, of the visit among those of this rank.
      recipe: with `flip_share`.
      size: from `size_of`.
    """
    visit = stream.visit(number)
    _, serialized = parsing.read(reader, visit, stream.record)
    parsed = parsing.parse(serialized, [stream.scale])
    decode = parsing.decoder(reader, parsed)
    orientation = augmentation.draw_flips(stream.key(visit), 1, recipe.flip_share)[0]
    made = {"key": parsed["key"]}
    for name, feature, scale in ("lr", "lr_x%d" % stream.scale, stream.scale), ("hr", "hr", 1):
        made[name] = augmentation.flipped(decode(feature), orientation)
        made[name].set_shape([size[0] // scale, size[1] // scale, 3])
    return (made,)
