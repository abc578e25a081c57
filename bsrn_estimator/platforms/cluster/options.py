"""The flags of a run on several machines."""

import dataclasses

from bsrn_estimator.settings import Settings, setting

AUTO, RING, NCCL = "auto", "ring", "nccl"


@dataclasses.dataclass(frozen=True)
class ClusterOptions(Settings):
    """How processes that train together exchange gradients, and wait for each other.

    Raises:
      UserError: a value is out of range.
    """

    communication: str = setting(
        AUTO,
        "how gradients are exchanged: ring over TCP, nccl between GPUs, or as TensorFlow chooses",
        choices=(AUTO, RING, NCCL),
    )
    peer_timeout: float = setting(
        60.0,
        "seconds that a process may be silent, or be waited for at the start, before all end",
        least=5,
    )
