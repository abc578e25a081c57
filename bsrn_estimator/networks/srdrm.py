"""SRDRM (arXiv:1909.09437) as a family of networks: one scale a network, batch norm, tanh.

TensorFlow is imported when a graph is built, not before: flags are defined and checked without it.
"""

import contextlib
import dataclasses
import re
from typing import Any, Callable, ClassVar, Dict, List, Mapping, Optional, Sequence, Tuple

from bsrn_estimator.errors import UserError
from bsrn_estimator.networks import complexity, srdrm_keras
from bsrn_estimator.networks.base import KerasLayer, Network, Shapes
from bsrn_estimator.networks.choice import SINGLE_OUTPUTS, OutputChoice
from bsrn_estimator.networks.srdrm_fields import SrdrmFields
from bsrn_estimator.pictures.tiling import EXPORTED_TILE_HR_PIXELS, OVERLAP

# How the names of batch norms' variables end that follow the data, see `batch_norm`.
MOVING = ("/batch_norm/moving_mean", "/batch_norm/moving_variance")
_BLOCK = re.compile(r"srdrm/block_(\d+)/first/kernel")


@dataclasses.dataclass(frozen=True)
class Srdrm(SrdrmFields):
    """An SRDRM; see `SrdrmFields` for its hyper-parameters and `Network` for what it offers."""

    family: ClassVar[str] = "srdrm"
    scope: ClassVar[str] = "srdrm/"
    # Of one output: so its pictures are called the same whatever engine makes them.
    result: ClassVar[str] = "ensemble"
    # 256 channels stand at that size.
    hr_tile: ClassVar[Optional[int]] = EXPORTED_TILE_HR_PIXELS
    # That of the authors' code: a constant rate, nothing clipped.
    recipe: ClassVar[Mapping[str, Any]] = {
        "learning_rate": 2e-4,
        "learning_rate_decay": 1.0,
        "adam_beta1": 0.5,
        "adam_epsilon": 1e-7,
        "clip_norm": 0.0,
    }

    def loss(
        self,
        features: Dict,
        labels: Dict,
        schedule: str,
        loss_scope: Callable = contextlib.nullcontext,
        unit: float = 1.0,
    ) -> Tuple[Any, Dict[str, Any]]:
        """0.8 of the mean square and 0.2 of the colour distance; see `Network.loss`."""
        from bsrn_estimator.networks import srdrm_layers, srdrm_losses

        truth = labels["hr" if schedule == "random" else "hr_x%d" % self.scale]
        lr = srdrm_layers.from_grey_levels(features["lr"])
        made = srdrm_layers.generator(lr, self, training=True, exact=loss_scope)
        with loss_scope():
            truth = srdrm_layers.from_grey_levels(truth)
            loss, square, colour = srdrm_losses.content_loss(made, truth)
        return loss, {"mse": square, "redmean": colour}

    def result_names(self, singles: bool = False) -> Tuple[str, ...]:
        """ "ensemble": there is no other."""
        return (self.result,)

    def results(self, lr: Any, scale: int, singles: bool = False) -> Dict[str, Any]:
        """The one picture; see `Network.results`."""
        from bsrn_estimator.networks import srdrm_layers

        made = srdrm_layers.generator(srdrm_layers.from_grey_levels(lr), self)
        return {self.result: srdrm_layers.to_grey_levels(made)}

    def picture_names(self, choice: OutputChoice) -> Tuple[str, ...]:
        """ "ensemble", the mean of one output, or "last", which is the same picture."""
        if choice.first_output:
            raise UserError(
                "--first_output=%d: a network of the family %s has one output; leave it out"
                % (choice.first_output, self.family)
            )
        return (choice.output if choice.output in SINGLE_OUTPUTS else self.result,)

    def pictures(self, lr: Any, scale: int, choice: OutputChoice) -> List[Any]:
        """The one picture, its last doubling in bands of rows; see `Network.pictures`."""
        from bsrn_estimator.networks import srdrm_layers

        self.picture_names(choice)
        made = srdrm_layers.generator_in_bands(srdrm_layers.from_grey_levels(lr), self)
        return [srdrm_layers.to_grey_levels(made)]

    @property
    def tile(self) -> int:
        """Features stand at half the size of the result, some 2 kB a pixel there."""
        return 480 // (self.scale // 2 or 1)

    @property
    def overlap(self) -> int:
        """12 LR pixels at x2, measured on the published weights: within 0.1 grey levels of the
        whole picture, where 8 are within one. The field is 22, 32 and 37 LR pixels on each side at
        x2, x4 and x8, so the same share of it are 18 and 21."""
        return {2: OVERLAP, 4: 18, 8: 21}[self.scale]

    def exported(self, lr: Any, scale: int, choice: OutputChoice, clip: bool = True) -> Any:
        """The one picture, which a tanh keeps in 0..255; see `Network.exported`."""
        del choice, clip
        return self.results(lr, scale)[self.result]

    @classmethod
    def told_by(cls, shapes: Shapes) -> Optional[Dict[str, Any]]:
        """Scale and last kernel; see `Network.told_by`."""
        blocks = len([name for name in shapes if _BLOCK.fullmatch(name)])
        last = shapes.get("srdrm/last_conv/kernel", ())
        if not blocks or len(last) != 4:
            return None
        return {"scales": (2**blocks,), "output_kernel": last[0]}

    def untold_lines(self) -> List[Tuple[str, str]]:
        """Nothing: the shapes tell all."""
        return []

    def weight_shapes(self) -> Dict[str, Tuple[int, ...]]:
        """The shape of every weight, by name, moving averages included."""
        from bsrn_estimator.networks import srdrm_layers

        return srdrm_layers.weight_shapes(self)

    @classmethod
    def learns(cls, name: str) -> bool:
        """Not the moving averages of a batch norm; see `Network.learns`."""
        return not name.endswith(MOVING)

    @classmethod
    def of_keras(cls, kernels: Sequence[Tuple[int, ...]]) -> Optional["Network"]:
        """By their number and the last one; see `Network.of_keras`."""
        found = srdrm_keras.fields_of(kernels)
        return found and cls(scales=found[:1], output_kernel=found[1])

    def keras_layers(self) -> Sequence[KerasLayer]:
        """Those of the authors' files; see `Network.keras_layers`."""
        return srdrm_keras.layers(self)

    def parameters(self) -> int:
        """The number of trainable parameters."""
        return complexity.srdrm_parameters(self)

    def multiply_adds(
        self, scale: int, size: Tuple[int, int] = (720, 1280), form: str = "all"
    ) -> int:
        """See `complexity.srdrm_multiply_adds`; there is one form."""
        return complexity.srdrm_multiply_adds(self, size)
