"""Writing the network for one scale as an ONNX model, made from the frozen graph by tf2onnx."""

import json
import logging
from typing import Any, Dict

from bsrn_estimator import files
from bsrn_estimator.errors import UserError, install_command
from bsrn_estimator.export import frozen_graph, squares

# The newest that every onnxruntime since 1.8 reads and both supported releases of tf2onnx write.
OPSET = 13


def require() -> None:
    """Raises UserError unless the packages for ONNX are there."""
    try:
        import onnx  # noqa: F401
        import tf2onnx  # noqa: F401
    except ImportError as error:
        raise UserError(
            "--export_format=onnx needs the packages onnx and tf2onnx (%s); get them with %s, or "
            "export a frozen graph" % (error, install_command("export"))
        ) from None


def write(path: str, frozen, info: Dict[str, Any]) -> None:
    """Writes an ONNX model to `path`, whole or not at all.

    Args:
      path: where to.
      frozen: what `frozen_graph.graph_def` returned; input, output and layout stay as they are.
      info: goes into the model's metadata under the key "bsrn_estimator", as JSON.
    """
    import onnx
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    names = {name + ":0": name for name in (frozen_graph.INPUT, frozen_graph.OUTPUT)}
    model, _ = tf2onnx.convert.from_graph_def(
        frozen,
        input_names=[frozen_graph.INPUT + ":0"],
        output_names=[frozen_graph.OUTPUT + ":0"],
        tensors_to_rename=names,
        opset=OPSET,
    )
    squares.rewrite(model)
    _name_free_axes(model.graph.input[0], "")
    _name_free_axes(model.graph.output[0], "hr_")
    onnx.helper.set_model_props(model, {"bsrn_estimator": json.dumps(info)})
    onnx.checker.check_model(model)
    with files.written_whole(path, "wb") as file:
        file.write(model.SerializeToString())


def _name_free_axes(value, prefix: str) -> None:
    """Gives the free axes of a model's input or output names that say what they are."""
    names = ("batch", prefix + "height", prefix + "width")
    for axis, name in zip(value.type.tensor_type.shape.dim, names):
        if not axis.dim_value:
            axis.dim_param = name
