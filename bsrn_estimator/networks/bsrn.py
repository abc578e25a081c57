"""BSRN, the Block State-based Recursive Network (arXiv:1811.12546), as a family of networks.

TensorFlow is imported when a graph is built, not before: flags are defined and checked without it.
"""

import contextlib
import dataclasses
import re
from typing import Any, Callable, ClassVar, Dict, List, Optional, Tuple

from bsrn_estimator.errors import UserError
from bsrn_estimator.networks import complexity
from bsrn_estimator.networks.base import Shapes
from bsrn_estimator.networks.bsrn_fields import BsrnFields
from bsrn_estimator.networks.choice import OutputChoice

_LAST_CONV = "generator/last_conv/"


@dataclasses.dataclass(frozen=True)
class Bsrn(BsrnFields):
    """A BSRN; see `BsrnFields` for its hyper-parameters and `Network` for what it offers."""

    family: ClassVar[str] = "bsrn"
    result: ClassVar[str] = "ensemble"
    untold: ClassVar[Tuple[str, ...]] = ("recursions", "recursion_frequency")

    def loss(
        self,
        features: Dict,
        labels: Dict,
        schedule: str,
        loss_scope: Callable = contextlib.nullcontext,
        unit: float = 1.0,
    ) -> Tuple[Any, Dict[str, Any]]:
        """L1 of every output, weighted by 2^recursion; see `Network.loss`."""
        from bsrn_estimator.networks import losses

        if schedule == "random":
            loss, parts = losses.random_loss(features, labels, self, loss_scope, unit)
            return loss, dict(zip(self.single_names, parts))
        loss, parts_of_scales = losses.joint_loss(features, labels, self, loss_scope, unit)
        return loss, {
            "x%d/%s" % (scale, name): part
            for scale, parts in parts_of_scales.items()
            for name, part in zip(self.single_names, parts)
        }

    def result_names(self, singles: bool = False) -> Tuple[str, ...]:
        """ "ensemble", and with `singles` the names of the outputs."""
        return (self.result,) + (self.single_names if singles else ())

    def results(self, lr: Any, scale: int, singles: bool = False) -> Dict[str, Any]:
        """The ensemble, and with `singles` each output; see `Network.results`."""
        from bsrn_estimator.networks import bsrn_layers

        trunk = bsrn_layers.trunk(lr, self)
        made = [bsrn_layers.ensemble_of(trunk, scale, self)]
        if singles:
            made += bsrn_layers.outputs_of(trunk, scale, self)
        return dict(zip(self.result_names(singles), made))

    def picture_names(self, choice: OutputChoice) -> Tuple[str, ...]:
        """ "ensemble", the last output's name, or "ensemble" and all names."""
        last = len(self.output_recursions) - 1
        if not 0 <= choice.first_output <= last:
            raise UserError(
                "--first_output must be from 0 to %d, not %d" % (last, choice.first_output)
            )
        singles = self.single_names
        named = {"ensemble": (self.result,), "last": singles[-1:], "all": (self.result,) + singles}
        return named[choice.output]

    def pictures(self, lr: Any, scale: int, choice: OutputChoice) -> List[Any]:
        """Each picture upscaled in bands of rows; see `Network.pictures`."""
        from bsrn_estimator.networks import bands

        self.picture_names(choice)
        return bands.pictures(lr, scale, self, choice)

    @property
    def tile(self) -> int:
        """208 for the 128 channels of the full network, and as many values for others.

        Features and state of a recursion stand at a time, some 2 kB a pixel in the full network;
        neither those of all outputs nor HR features of the whole tile do, see `bands`.
        """
        return int(208 * (128 / (self.conv_features + self.state_features)) ** 0.5)

    def exported(self, lr: Any, scale: int, choice: OutputChoice, clip: bool = True) -> Any:
        """The ensemble with one last convolution, or the last output; see `Network.exported`."""
        from bsrn_estimator.networks import bsrn_layers

        first = choice.first_output
        if choice.output == "last":
            first = len(self.output_recursions) - 1
        result = bsrn_layers.ensemble(lr, scale, self, first)
        return bsrn_layers.clipped(result) if clip else result

    @classmethod
    def told_by(cls, shapes: Shapes) -> Optional[Dict[str, Any]]:
        """Features, state features and scales; see `Network.told_by`."""
        first = shapes.get("generator/first_conv/conv2d/kernel", ())
        block = shapes.get("generator/residual_modules/conv2d/kernel", ())
        single = _LAST_CONV + "conv2d/kernel" in shapes
        upscalers = re.findall(r"^generator/upscale/x(\d+)/conv2d/kernel$", "\n".join(shapes), re.M)
        scales = tuple(
            scale
            for scale in sorted(int(text) for text in upscalers)
            if single or _LAST_CONV + "x%d/conv2d/kernel" % scale in shapes
        )
        if len(first) != 4 or len(block) != 4 or not scales or (single and len(scales) > 1):
            return None
        return {
            "scales": scales,
            "conv_features": first[-1],
            "state_features": block[-1] - first[-1],
        }

    def untold_lines(self) -> List[Tuple[str, str]]:
        """Recursions, and how many of them lie between two outputs."""
        return [
            ("recursions", str(self.recursions)),
            ("outputs", "one after every %d" % self.recursion_frequency),
        ]

    def weight_shapes(self) -> Dict[str, Tuple[int, ...]]:
        """The shape of every weight, by name; the recursions share theirs."""
        from bsrn_estimator.networks import bsrn_layers

        once = dataclasses.replace(self, recursions=1, recursion_frequency=1)
        return bsrn_layers.weight_shapes(once)

    def is_reused(self, name: str) -> bool:
        """Whether it belongs to the block, which all recursions share."""
        return name.startswith("generator/residual_modules/")

    def activations(self, lr: Any) -> Dict[str, Any]:
        """Of the block in every recursion, and of each upscaler after the last one."""
        from bsrn_estimator.networks import bsrn_layers

        return bsrn_layers.activations(lr, self)

    def is_in_unit(self, name: str) -> bool:
        """The first kernel, and every bias but the last: convolutions and ReLUs have no unit."""
        is_scaled = "/first_conv/" in name or name.endswith("/bias")
        return is_scaled and _LAST_CONV not in name

    def saved_name(self, name: str, shapes: Shapes) -> str:
        """As `name`; but a network of one scale may have a folder for it in its last convolution,
        as in a checkpoint of several, or none; and one of several may take that of a checkpoint
        of one."""
        single = _LAST_CONV + "conv2d/kernel" in shapes
        if len(self.scales) == 1:
            folder = "%sx%d/" % (_LAST_CONV, self.scales[0])
            return name if single else name.replace(_LAST_CONV, folder)
        of_scale = re.match(_LAST_CONV + r"x(\d+)/", name)
        if (
            single
            and of_scale
            and "generator/upscale/x%s/conv2d/kernel" % of_scale.group(1) in shapes
        ):
            return name.replace(of_scale.group(), _LAST_CONV)
        return name

    def parameters(self) -> int:
        """The number of trainable parameters, of all scales together."""
        return complexity.parameters(self)

    def multiply_adds(
        self, scale: int, size: Tuple[int, int] = (720, 1280), form: str = "all"
    ) -> int:
        """See `complexity.multiply_adds`, which says what `form` may be."""
        return complexity.multiply_adds(self, scale, size, form)
