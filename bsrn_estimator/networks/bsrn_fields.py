"""The hyper-parameters of a BSRN, and what follows from them."""

import dataclasses
from typing import Iterator, Tuple

from bsrn_estimator.networks.base import Network
from bsrn_estimator.settings import setting


@dataclasses.dataclass(frozen=True)
class BsrnFields(Network):
    """What a BSRN is made of; the defaults are the network of the paper (arXiv:1811.12546).

    In the paper's letters: c features, s state features, R recursions, r between two outputs.
    `rgb_mean` is what is subtracted from the three channels of the input, in 0..255.

    Raises:
      UserError: a value is out of range, or two contradict each other.
    """

    conv_features: int = setting(64, "bsrn: channels of the features", least=1)
    state_features: int = setting(64, "bsrn: channels of the block state; 0 for none", least=0)
    recursions: int = setting(16, "bsrn: times the block is applied", least=1)
    recursion_frequency: int = setting(1, "bsrn: recursions between two outputs", least=1)
    rgb_mean: Tuple[float, float, float] = (127.5, 127.5, 127.5)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rgb_mean", tuple(float(value) for value in self.rgb_mean))
        super().__post_init__()

    def _rules(self) -> Iterator[Tuple[bool, str]]:
        yield len(self.rgb_mean) == 3, "rgb_mean takes three values, not %d" % len(self.rgb_mean)
        yield (
            self.recursions % self.recursion_frequency == 0,
            "--recursions=%d must be a multiple of --recursion_frequency=%d, or the last "
            "recursions would have no output" % (self.recursions, self.recursion_frequency),
        )

    @property
    def output_recursions(self) -> Tuple[int, ...]:
        """The recursions, counted from 1, after which an output is taken."""
        step = self.recursion_frequency
        return tuple(range(step, self.recursions + 1, step))

    @property
    def output_weights(self) -> Tuple[float, ...]:
        """Weights of the outputs in the loss and in the ensemble: 2^recursion, summing to 1."""
        last = self.output_recursions[-1]
        weights = [2.0 ** (recursion - last) for recursion in self.output_recursions]
        return tuple(weight / sum(weights) for weight in weights)

    @property
    def single_names(self) -> Tuple[str, ...]:
        """The names of the outputs, by recursion: "recursion_04"."""
        return tuple("recursion_%02d" % recursion for recursion in self.output_recursions)
