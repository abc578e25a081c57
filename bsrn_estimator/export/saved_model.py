"""Writing the network as a SavedModel: two signatures for each scale.

`x2_rgb`: "lr" float32 [batch, height, width, 3] in 0..255 to "hr" float32 [batch, 2 * height,
2 * width, 3], clipped to 0..255 and not rounded. `x2_bytes`: "bytes" string [batch], each a PNG or
JPEG, to "png_bytes" string [batch]; large pictures are upscaled in tiles. (TensorFlow Serving
encodes outputs whose name ends in `_bytes` as base64 in its REST form; any other string has to be
text.) `serving_default` is the `_bytes` signature of the largest scale.
"""

from typing import Any, Dict, Optional, Sequence

from bsrn_estimator.checkpoints import literal
from bsrn_estimator.compat import tf
from bsrn_estimator.export import about, graph
from bsrn_estimator.export.options import MAX_BYTES_PIXELS
from bsrn_estimator.networks import tiles
from bsrn_estimator.networks.base import Network
from bsrn_estimator.networks.choice import OutputChoice
from bsrn_estimator.pictures.tiling import default_tile

RGB_SIGNATURE = "x%d_rgb"
BYTES_SIGNATURE = "x%d_bytes"


def _signature(inputs, outputs):
    return tf.saved_model.signature_def_utils.predict_signature_def(inputs, outputs)


def _rgb_signature(scale: int, upscale):
    with tf.name_scope("x%d_rgb" % scale):
        lr = tf.placeholder(tf.float32, [None, None, None, 3], "lr")
        return _signature({"lr": lr}, {"hr": tf.identity(upscale(lr, scale), "hr")})


def _bytes_signature(scale: int, upscale, max_pixels: int, overlap: int):
    def upscale_tile(tile):
        lr = tf.cast(tile[tf.newaxis], tf.float32)
        return graph.to_uint8(upscale(lr, scale)[0])

    def upscale_one(picture):
        side = default_tile(scale, overlap)
        return tiles.upscale_in_tiles(picture, scale, upscale_tile, side, overlap)

    with tf.name_scope("x%d_bytes" % scale):
        encoded = tf.placeholder(tf.string, [None], "bytes")
        png = graph.upscale_bytes(encoded, upscale_one, max_pixels)
        return _signature({"bytes": encoded}, {"png_bytes": tf.identity(png, "png_bytes")})


def signatures(
    network: Network, scales: Sequence[int], choice: OutputChoice, max_pixels: int
) -> Dict[str, Any]:
    """Builds the network for all `scales` in the default graph and returns its signatures."""

    def upscale(lr, scale):
        return network.exported(lr, scale, choice)

    # The plain form comes first: it makes the variables, outside of the loop over pictures.
    made = {RGB_SIGNATURE % scale: _rgb_signature(scale, upscale) for scale in scales}
    for scale in scales:
        made[BYTES_SIGNATURE % scale] = _bytes_signature(
            scale, upscale, max_pixels, network.overlap
        )
    made["serving_default"] = made[BYTES_SIGNATURE % max(scales)]
    return made


def write(
    folder: str,
    session_with_weights,
    network: Network,
    scales: Sequence[int],
    info: Dict[str, Any],
    choice: Optional[OutputChoice] = None,
    max_pixels: int = MAX_BYTES_PIXELS,
) -> None:
    """Writes a SavedModel to `folder`, which must not exist.

    Args:
      folder: where to.
      session_with_weights: a function that is called once the graph stands as the default graph,
        and returns a session in which the network's variables have their values.
      network: the network.
      scales: the scales to export.
      info: what it says of itself; see `about`.
      choice: the output; by default the network's result.
      max_pixels: largest picture that the `_bytes` signatures decode.
    """
    with tf.Graph().as_default():
        made = signatures(network, scales, choice or OutputChoice(), max_pixels)
        with session_with_weights() as session:
            builder = tf.saved_model.Builder(literal.folder(folder))
            builder.add_meta_graph_and_variables(
                session,
                [tf.saved_model.tag_constants.SERVING],
                signature_def_map=made,
                strip_default_attrs=True,
            )
            builder.save()
    about.write(folder, info)
