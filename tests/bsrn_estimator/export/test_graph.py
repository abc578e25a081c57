"""The parts round the network in an exported graph: tiles, and bytes of any kind."""

import struct
import zlib

import numpy as np
import pytest

from bsrn_estimator.checkpoints import trained
from bsrn_estimator.compat import TF2, tf
from bsrn_estimator.export import graph
from bsrn_estimator.inference.upscaler import Upscaler
from bsrn_estimator.networks import tiles
from bsrn_estimator.networks.choice import OutputChoice
from bsrn_estimator.pictures.picture import to_uint8
from tests.bsrn_estimator.export import support


class _NetworkAsExported(trained.TrainedNetwork):
    """A checkpoint that adds up its outputs as exports do, so that tiles alone may differ."""

    def open(self, scales, choice):
        with tf.Graph().as_default():
            lr = tf.placeholder(tf.float32, [1, None, None, 3])
            hr = self.network.exported(lr, scales[0], choice)
            session = self.session()
        return ("ensemble",), lambda picture, _: [session.run(hr, {lr: picture})], session.close


@pytest.mark.parametrize("height,width", [(61, 40), (33, 90), (29, 29), (5, 30)])
def test_tiles_in_the_graph_are_those_of_the_upscaler(golden, height, width):
    lr = np.random.RandomState(2).randint(0, 256, (height, width, 3)).astype(np.uint8)
    network = _NetworkAsExported(golden.checkpoint, golden.network)
    with Upscaler(network, tile=29, overlap=11, scales=[2]) as upscaler:
        expected = to_uint8(upscaler.upscale(lr, 2))
    with tf.Graph().as_default():
        picture = tf.placeholder(tf.uint8, [None, None, 3])

        def upscale(tile):
            hr = golden.network.exported(tf.cast(tile[tf.newaxis], tf.float32), 2, OutputChoice())
            return graph.to_uint8(hr[0])

        upscale(picture)  # makes the variables outside of the loops
        tiled = tiles.upscale_in_tiles(picture, 2, upscale, side=29, overlap=11)
        with network.session() as session:
            result = session.run(tiled, {picture: lr})
    assert result.shape == (2 * height, 2 * width, 3)
    assert np.abs(result - expected.astype(int)).max() <= (1 if TF2 else 0)


def _png_of_size(height, width):
    def chunk(name, content):
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content) & 0xFFFFFFFF)
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def _jpeg_of_size(height, width):
    content = bytearray(support.encoded(np.zeros((8, 8, 3), np.uint8), "JPEG"))
    start = content.index(b"\xff\xc0")
    content[start + 5 : start + 9] = struct.pack(">HH", height, width)
    return bytes(content)


def test_hostile_bytes_are_an_error_and_nothing_more(golden, loaded):
    png = support.encoded(golden.forward["lr"])
    jpeg = support.encoded(golden.forward["lr"], "JPEG")
    hostile = [b"", b"a", b"words and words", png[:8], png[:20], png[: len(png) // 2], jpeg[:3]]
    hostile += [jpeg[: len(jpeg) // 3], png[:33] + b"\0" * 40, png.replace(b"IHDR", b"IDAT")]
    hostile += [support.encoded(golden.forward["lr"], form) for form in ("BMP", "GIF", "WEBP")]
    large = [_png_of_size(50000, 50000), _png_of_size(2**31 - 1, 2**31 - 1), _png_of_size(2001, 1)]
    large += [_jpeg_of_size(60000, 60000), _jpeg_of_size(48, 64)]
    for content in hostile + large + [_png_of_size(0, 5), _png_of_size(2**31 + 1, 1)]:
        with pytest.raises(tf.errors.InvalidArgumentError) as caught:
            loaded("x2_bytes", [content])
        if content in large:
            assert "more than 2000 pixels" in str(caught.value)
    # It still works.
    assert (
        support.decoded(loaded("x2_bytes", [png])[0]).shape[0] == 2 * golden.forward["lr"].shape[0]
    )


@pytest.mark.parametrize("seed", range(3))
def test_flipped_bits(golden, loaded, seed):
    random = np.random.RandomState(seed)
    for form in ("PNG", "JPEG"):
        content = bytearray(support.encoded(golden.forward["lr"], form))
        for place in random.randint(0, len(content), 3):
            content[place] ^= 1 << random.randint(8)
        try:
            loaded("x2_bytes", [bytes(content)])
        except tf.errors.InvalidArgumentError:
            pass
