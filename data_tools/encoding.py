"""One picture to the bytes of its records. This is what worker processes run."""

import dataclasses
from typing import Dict, Iterator, Tuple, Union

import cv2
import numpy as np

from bsrn_estimator.data.example import encode_example
from bsrn_estimator.data.records import image_features
from bsrn_estimator.data.tfrecord import frame
from bsrn_estimator.data.tiles import tiles_of
from bsrn_estimator.errors import UserError
from bsrn_estimator.pictures import pairs
from bsrn_estimator.pictures.decoding import read_colours, read_rgb, three_channels
from bsrn_estimator.pictures.imresize import shrink
from bsrn_estimator.pictures.stretch import stretched
from data_tools import degradations
from data_tools.options import ConversionOptions
from data_tools.sources import SourcePicture

# On photographs, run lengths behind the row filters come within a few percent of the size of zlib's
# level 6 in a fraction of its time: benchmarks/convert.py prints both.
_PNG = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE)


@dataclasses.dataclass(frozen=True)
class Encoded:
    """The records of one picture, framed as they stand in a shard, and its WIDTHxHEIGHT."""

    frames: bytes
    records: int
    size: str


@dataclasses.dataclass(frozen=True)
class Bad:
    """A picture that cannot be converted, and why, in a sentence."""

    problem: str


def encode_picture(picture: SourcePicture, options: ConversionOptions) -> Union[Encoded, Bad]:
    """Decodes a picture and encodes its records."""
    try:
        hr, lr = read_picture(picture, options)
        records = _records(picture.name, hr, lr, options)
        frames = [frame(encode_example(features)) for features in records]
        return Encoded(b"".join(frames), len(frames), "%dx%d" % (hr.shape[1], hr.shape[0]))
    except UserError as error:
        return Bad(str(error))
    except MemoryError:
        return Bad("%s does not fit into memory; try fewer --workers" % picture.hr.label)


def read_picture(
    picture: SourcePicture, options: ConversionOptions
) -> Tuple[np.ndarray, Dict[int, np.ndarray]]:
    """The HR picture, uint8 [H, W, 1 or 3] as its file has it, and scale to LR picture, uint8
    [H // s, W // s, 3], which is degraded as the options say; then, where they say so, each with
    its contrast stretched.

    Raises:
      UserError: a file does not decode, or is no longer of the size that its header announced.
    """
    hr = read_colours(picture.hr.content(), options.max_pixels, picture.hr.label)
    if picture.lr is None:
        lr = {scale: three_channels(shrink(hr, scale)) for scale in options.scales}
    else:
        lr = {}
        for scale, stored in picture.lr.items():
            lr[scale] = read_rgb(stored.content(), options.max_pixels, stored.label)
            pairs.check_sizes(stored.label, lr[scale].shape[:2], hr.shape[:2], scale)
    for scale, pixels in lr.items():
        name = "%s_x%d" % (picture.name, scale)
        lr[scale] = degradations.degrade(pixels, options.degrade, name)
    if options.stretch:
        lr = {scale: stretched(pixels) for scale, pixels in lr.items()}
    return stretched(hr) if options.stretch == "both" else hr, lr


def encode_pixels(pixels: np.ndarray, encoding: str) -> bytes:
    """uint8 [h, w, 3], RGB, as PNG, or raw: row after row."""
    if encoding == "raw":
        return pixels.tobytes()
    return cv2.imencode(".png", np.ascontiguousarray(pixels[:, :, ::-1]), _PNG)[1].tobytes()


def _records(
    name: str, hr: np.ndarray, lr: Dict[int, np.ndarray], options: ConversionOptions
) -> Iterator[Dict]:
    def encoded(pixels: np.ndarray) -> Tuple[bytes, int, int]:
        return (encode_pixels(pixels, options.encoding),) + pixels.shape[:2]

    channels, hr = hr.shape[2], three_channels(hr)
    if not options.training:
        lr = {scale: encoded(pixels) for scale, pixels in lr.items()}
        yield image_features(name, name, options.encoding, (0, 0), encoded(hr), lr, channels)
        return
    for tile in tiles_of(hr.shape[:2], options.tile_size, options.overlap, options.scales):
        parts = {
            scale: encoded(_part(pixels, *(value // scale for value in tile[:4])))
            for scale, pixels in lr.items()
        }
        key = "%s_y%04d_x%04d" % (name, tile.y, tile.x)
        yield image_features(
            key,
            name,
            options.encoding,
            (tile.y, tile.x),
            encoded(_part(hr, *tile[:4])),
            parts,
            channels,
        )


def _part(pixels: np.ndarray, y: int, x: int, height: int, width: int) -> np.ndarray:
    return pixels[y : y + height, x : x + width]
