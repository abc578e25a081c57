"""Which of a network's outputs is wanted."""

import dataclasses

from bsrn_estimator.settings import USE, Settings, setting

OUTPUTS = ("ensemble", "last", "all")
# Those that are one picture.
SINGLE_OUTPUTS = OUTPUTS[:2]


@dataclasses.dataclass(frozen=True)
class OutputChoice(Settings):
    """Which outputs of a network become pictures: what --output and --first_output say."""

    output: str = setting(
        "ensemble",
        "the weighted mean of all outputs, the last output, or (predict) the mean and each of them",
        choices=OUTPUTS,
        modes=USE,
    )
    first_output: int = setting(
        0,
        "leaves so many of the first, weakest outputs out of the ensemble",
        least=0,
        modes=USE,
    )
