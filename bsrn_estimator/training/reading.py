"""What a training run reads, from any of its steps on."""

import dataclasses
from typing import Any, Callable, Dict, Optional

from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.data import input_fn, sampling
from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.data.reader import CorruptRecords
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.training import data_identity
from bsrn_estimator.training.options import TrainingOptions


@dataclasses.dataclass(frozen=True)
class Reading:
    """The batches of a run.

    Attributes:
      config: the network and its recipe.
      platform: the devices, which share the records out.
      data_dir: folder of training records.
      corrupt: the corrupt records that were left out, None where they are errors.
      order: the rule by which tiles take turns, 1 or 2; a run keeps that of its beginning.
    """

    config: Config
    platform: Platform
    data_dir: str
    corrupt: Optional[CorruptRecords]
    order: int

    @classmethod
    def of(
        cls, config: Config, platform: Platform, model_dir: str, options: TrainingOptions
    ) -> "Reading":
        """What the options of a run ask for, in the order of the run in `model_dir`.

        Raises:
          UserError: a newer program has trained in `model_dir`, or its description is damaged.
        """
        corrupt = CorruptRecords(options.max_corrupt_share) if options.skip_corrupt else None
        order = data_identity.order_of(model_dir)
        return cls(config, platform, options.data_dir, corrupt, order)

    def after(self, step: int, skipped_batches: int, with_keys: bool = True) -> Callable:
        """The input function of the steps after `step`.

        Args:
          step: steps made.
          skipped_batches: batches passed over by rollbacks.
          with_keys: leave the names of pictures in the batches.

        Raises:
          UserError: the records cannot serve this run.
        """
        return input_fn.training_input_fn(
            self.data_dir,
            self.config.network.scales,
            self.config.recipe,
            start_step=step * self.platform.batches_per_step + skipped_batches,
            batches_per_step=self.platform.batches_per_step,
            rank=self.platform.rank,
            rank_size=self.platform.rank_size,
            tiles_in_play=sampling.FORMER_TILES_IN_PLAY if self.order == 1 else None,
            with_keys=with_keys,
            corrupt=self.corrupt,
        )

    def identity(self) -> Dict[str, Any]:
        """Which records they are, and in which order; see `data_identity`."""
        batches = self.platform.batches_per_step * self.platform.rank_size
        return data_identity.identity(
            Manifest.load_alone(self.data_dir), batches_per_step=batches, order=self.order
        )

    @property
    def data_set(self) -> str:
        """The name of the set."""
        return Manifest.load_alone(self.data_dir).name_in(self.data_dir)

    def counters(self) -> Dict[str, float]:
        """Scalars for TensorBoard."""
        return {"data/corrupt_records": self.corrupt.total} if self.corrupt else {}

    @property
    def patches_per_step(self) -> int:
        """LR patches of all scales and devices in one step."""
        recipe, platform = self.config.recipe, self.platform
        scales = len(self.config.network.scales) if recipe.scale_schedule == "joint" else 1
        return recipe.step_batch * scales * platform.batches_per_step * platform.rank_size
