"""The hyper-parameters of an SRDRM, and what follows from them."""

import dataclasses
from typing import Iterator, Tuple

from bsrn_estimator.networks.base import Network
from bsrn_estimator.settings import setting

SCALES = (2, 4, 8)
OUTPUT_KERNELS = (5, 9)
# Residual blocks of two convolutions in each block; channels, and those at twice the size.
RESIDUALS, CHANNELS, WIDE = 8, 64, 256


@dataclasses.dataclass(frozen=True)
class SrdrmFields(Network):
    """What an SRDRM is made of: one scale, and the side of its last kernel.

    Everything else is fixed (arXiv:1909.09437 and its authors' code): blocks that double the size,
    as many as the scale needs.

    Raises:
      UserError: a value is out of range.
    """

    scales: Tuple[int, ...] = setting((2,), "one scale, of 2, 4, 8")
    output_kernel: int = setting(
        5,
        "srdrm, srdrm_gan: side of the last kernel, 5 or 9; the published files have 5 for both",
        shown="5; srdrm_gan 9",
    )

    def _rules(self) -> Iterator[Tuple[bool, str]]:
        yield (
            len(self.scales) == 1 and self.scales[0] in SCALES,
            "a network of the family %s has one scale, 2, 4 or 8, not %s; give --scales=2, and "
            "train one network for each" % (self.family, ",".join(map(str, self.scales))),
        )
        yield (
            self.output_kernel in OUTPUT_KERNELS,
            "--output_kernel must be 5 or 9, not %d" % self.output_kernel,
        )

    @property
    def scale(self) -> int:
        """The scale that it has."""
        return self.scales[0]

    @property
    def blocks(self) -> int:
        """How many blocks stand in a row; each doubles the size."""
        return self.scale.bit_length() - 1
