"""The record format, one definition for the writer and the reader (format version 1).

One record is a tf.train.Example with these features:

    image/key                 bytes   unique in the data set: `0001`, or `0001_y0480_x0960`
    image/name                bytes   name of the picture that it was cut from
    image/format              bytes   `png`, or `raw`: RGB, uint8, row after row
    image/channels            int64   1 where the file of the HR picture has one channel, which then
                                      stands in all three here; missing where it has colours
    image/height, image/width int64   size of the HR picture in this record
    image/y, image/x          int64   its origin in the whole HR picture
    image/hr/encoded          bytes
    image/lr_x{s}/encoded     bytes   for every scale s of the data set
    image/lr_x{s}/height, image/lr_x{s}/width   int64

Training records hold tiles whose size and origin are multiples of every scale, so the LR tile at
scale s is exactly the part at origin / s of the LR picture. Evaluation records hold whole
pictures, the HR uncropped and every LR as it was given.

Records stand in TFRecord files: uint64 length, masked CRC-32C of the length, the data, masked
CRC-32C of the data, all little-endian. Nothing here imports TensorFlow except the two functions
that build a graph.
"""

from typing import Dict, Mapping, Tuple, Union

# The feature that says how many channels the HR file has, and its value where it is missing.
CHANNELS, RGB = "image/channels", 3


def image_features(
    key: str,
    name: str,
    encoding: str,
    origin: Tuple[int, int],
    hr: Tuple[bytes, int, int],
    lr: Mapping[int, Tuple[bytes, int, int]],
    channels: int = RGB,
) -> Dict[str, Union[bytes, int]]:
    """The features of one record, ready for `encode_example`.

    Args:
      key: unique in the data set.
      name: name of the picture.
      encoding: "png" or "raw".
      origin: y and x of the tile in the HR picture, in pixels.
      hr: encoded HR picture, its height, its width.
      lr: the same for every scale.
      channels: those of colour of the HR picture's file, 1 or 3.
    """
    encoded, height, width = hr
    features: Dict[str, Union[bytes, int]] = {
        "image/key": key.encode(),
        "image/name": name.encode(),
        "image/format": encoding.encode(),
        "image/height": height,
        "image/width": width,
        "image/y": origin[0],
        "image/x": origin[1],
        "image/hr/encoded": encoded,
    }
    # Records of earlier versions have no such feature, and records of RGB files need none.
    if channels != RGB:
        features[CHANNELS] = channels
    for scale, (encoded, height, width) in lr.items():
        features["image/lr_x%d/encoded" % scale] = encoded
        features["image/lr_x%d/height" % scale] = height
        features["image/lr_x%d/width" % scale] = width
    return features
