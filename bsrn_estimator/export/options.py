"""What to export, and how."""

import dataclasses
from typing import Iterator, Optional, Tuple

from bsrn_estimator.checkpoints.options import UseOptions
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks.choice import SINGLE_OUTPUTS
from bsrn_estimator.pictures import decoding
from bsrn_estimator.settings import setting

FORMATS = ("saved_model", "frozen", "onnx")
# The largest picture that a SavedModel decodes: whoever may send it one shares its memory.
MAX_BYTES_PIXELS = 2**22


@dataclasses.dataclass(frozen=True)
class ExportOptions(UseOptions):
    """What to export, and how; without `export_dir` into the folder `export` in `model_dir`.

    `export_size` is height and width of the LR picture (frozen, onnx); None leaves them free.
    `clip` brings results into 0..255, which a mean over several of them must not do before.

    Raises:
      UserError: a value is out of range, or two contradict each other.
    """

    export_dir: Optional[str] = setting(None, "where to", kind=str, shown="MODEL_DIR/export")
    export_format: str = setting("saved_model", "what to write", choices=FORMATS)
    export_size: Optional[Tuple[int, int]] = setting(
        None, "HEIGHT,WIDTH in LR pixels, for a fixed shape (frozen, onnx)", kind=tuple
    )
    clip: bool = setting(True, flag=None)
    max_pixels: int = setting(
        MAX_BYTES_PIXELS,
        "the largest picture read (predict), or decoded by an exported SavedModel (export)",
        least=1,
        shown="%d in predict, %d in export" % (decoding.MAX_PIXELS, MAX_BYTES_PIXELS),
    )

    def __post_init__(self) -> None:
        size = self.export_size
        if size is not None:
            object.__setattr__(self, "export_size", _parsed_size(size))
        super().__post_init__()

    def _rules(self) -> Iterator[Tuple[bool, str]]:
        yield (
            self.output in SINGLE_OUTPUTS,
            "an export holds one output: --output takes %s, not %s"
            % (" or ".join(SINGLE_OUTPUTS), self.output),
        )
        yield (
            self.export_size is None or self.export_format != "saved_model",
            "--export_size fixes the shape of a frozen graph or an ONNX model; leave it out, "
            "or give --export_format=frozen or onnx",
        )


def _parsed_size(parts) -> Tuple[int, int]:
    try:
        height, width = (int(part) for part in parts)
        if min(height, width) < 1:
            raise ValueError
    except ValueError:
        raise UserError(
            "--export_size takes HEIGHT,WIDTH in LR pixels such as 120,80, not %s"
            % ",".join(map(str, parts))
        ) from None
    return height, width
