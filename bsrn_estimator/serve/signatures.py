"""What a model takes and gives, in TensorFlow Serving's terms, whatever engine runs it."""

from typing import Dict, NamedTuple, Optional, Sequence, Tuple

METHOD = "tensorflow/serving/predict"
DEFAULT_SIGNATURE = "serving_default"


class Tensor(NamedTuple):
    """An input or output: its type as TensorFlow Serving writes it, its shape (-1 is free), name.

    Where the shape is None, not even the number of axes is known.
    """

    dtype: str
    shape: Optional[Tuple[int, ...]]
    name: str


class Signature(NamedTuple):
    """Inputs and outputs by name."""

    inputs: Dict[str, Tensor]
    outputs: Dict[str, Tensor]
    method_name: str = METHOD


def of_scales(scales: Sequence[int]) -> Dict[str, Signature]:
    """The signatures that a SavedModel of these scales has, see `export.saved_model`."""
    picture = (-1, -1, -1, 3)
    made = {}
    for scale in scales:
        name = "x%d_rgb" % scale
        made[name] = Signature(
            {"lr": Tensor("DT_FLOAT", picture, name + "/lr:0")},
            {"hr": Tensor("DT_FLOAT", picture, name + "/hr:0")},
        )
        name = "x%d_bytes" % scale
        made[name] = Signature(
            {"bytes": Tensor("DT_STRING", (-1,), name + "/bytes:0")},
            {"png_bytes": Tensor("DT_STRING", (-1,), name + "/png_bytes:0")},
        )
    made[DEFAULT_SIGNATURE] = made["x%d_bytes" % max(scales)]
    return made
