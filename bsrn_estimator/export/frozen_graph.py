"""Writing the network for one scale as a frozen graph: "lr" in, "hr" out, weights as constants."""

from typing import Any, Optional, Sequence, Tuple

from bsrn_estimator import files
from bsrn_estimator.compat import tf
from bsrn_estimator.networks.base import Network
from bsrn_estimator.networks.choice import OutputChoice

INPUT, OUTPUT = "lr", "hr"


def graph_def(
    session_with_weights,
    network: Network,
    scale: int,
    size: Optional[Tuple[int, int]] = None,
    choice: Optional[OutputChoice] = None,
    clip: bool = True,
):
    """The frozen graph.

    Args:
      session_with_weights: see `saved_model.write`.
      network: the network.
      scale: one of `network.scales`.
      size: height and width of the LR picture, with a batch of 1; None leaves all three free.
      choice: the output; by default the network's result.
      clip: whether the result is clipped.

    Returns:
      A GraphDef with the placeholder "lr", float32 [batch, height, width, 3], RGB in 0..255, and
      the result "hr", float32 [batch, scale * height, scale * width, 3], clipped to 0..255 and not
      rounded.
    """
    shape: Sequence[Any] = [1, size[0], size[1], 3] if size else [None, None, None, 3]
    with tf.Graph().as_default() as graph:
        lr = tf.placeholder(tf.float32, shape, INPUT)
        hr = network.exported(lr, scale, choice or OutputChoice(), clip)
        tf.identity(hr, OUTPUT)
        with session_with_weights() as session:
            frozen = tf.graph_util.convert_variables_to_constants(
                session, graph.as_graph_def(), [OUTPUT]
            )
    return _without_order(frozen) if size else frozen


def _without_order(frozen):
    """`frozen` without the control edges that only say which output is computed first.

    A fixed shape is for converters to a device's format, which plan memory themselves and may know
    nothing of such edges. In a graph with loops they mean more, and stay.
    """
    if not any(node.op in ("Enter", "Switch", "While", "StatelessWhile") for node in frozen.node):
        for node in frozen.node:
            data = [name for name in node.input if not name.startswith("^")]
            del node.input[:]
            node.input.extend(data)
    return frozen


def write(path: str, frozen) -> None:
    """Writes a frozen graph to `path`, whole or not at all."""
    with files.written_whole(path, "wb") as file:
        file.write(frozen.SerializeToString())
