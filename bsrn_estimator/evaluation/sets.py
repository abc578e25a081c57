"""A checkpoint measured on several sets of pictures, one after the other."""

from typing import Any, Dict, List, Optional, Sequence

from bsrn_estimator.compat import tf
from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation import tables
from bsrn_estimator.evaluation.evaluator import Evaluator
from bsrn_estimator.evaluation.options import EvaluationOptions
from bsrn_estimator.evaluation.tables import Measured
from bsrn_estimator.networks.base import Network
from bsrn_estimator.networks.precision import FLOAT32
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.platforms.options import RunOptions

_TABLE = "table"


class SetsEvaluator:
    """Evaluates checkpoints of one network on the sets of `--eval_data_dir`.

    Beside what an `Evaluator` leaves of each set, MODEL_DIR/evaluation/step-N has table.md and
    table.csv: all figures of the checkpoint that are filed there.

    Args: see `Evaluator`; `options` names the sets.

    Attributes:
      decisive: the name of the set by which the best checkpoint is chosen.

    Raises:
      UserError: the records cannot serve the scales, two sets have one name, or the set that is to
        decide is not among them.
    """

    def __init__(
        self,
        network: Network,
        platform: Platform,
        run: RunOptions,
        options: EvaluationOptions,
        scales: Optional[Sequence[int]] = None,
        precision: str = FLOAT32,
    ) -> None:
        self._network = network
        folders = named(options)
        self.decisive = options.best_by or next(iter(folders))
        self._evaluators: Dict[str, Evaluator] = {}
        for name, folder in folders.items():
            alone = options.replace(eval_data_dir=folder)
            one = Evaluator(network, platform, run, alone, scales, precision)
            self._evaluators[name] = one

    def evaluate(
        self,
        checkpoint: str,
        hooks: Sequence[tf.train.SessionRunHook] = (),
        again: bool = False,
    ) -> Dict[str, Dict[str, Any]]:
        """Evaluates a checkpoint on every set, and writes the table.

        Args:
          checkpoint: its path prefix.
          hooks: run beside the pictures.
          again: also measures what was measured before.

        Returns:
          The metrics.json of each set, by its name, in the order of the user.

        Raises:
          UserError: it does not fit the network.
        """
        found: Dict[str, Dict[str, Any]] = {}
        measured = []
        for name, one in self._evaluators.items():
            # A run that was killed between two sets goes on with the second.
            content = None if again else one.recorded(checkpoint)
            if content is None:
                content = one.evaluate(checkpoint, hooks)
                measured.append(name)
            found[name] = content
        # Also where nothing was: a kill may have come before it.
        self._save_table(checkpoint)
        if len(found) > 1 and measured:
            table = tables.text([Measured(_label(found), self._network, found)])
            print("%s\n" % table, flush=True)
        return found

    def paths(self, checkpoint: str) -> Dict[str, str]:
        """Where the metrics.json of each set lies, by its name, once all are evaluated."""
        return {name: one.path(checkpoint) for name, one in self._evaluators.items()}

    def is_recorded(self, checkpoint: str) -> bool:
        """Whether all that is asked for was measured of a checkpoint."""
        return all(one.recorded(checkpoint) for one in self._evaluators.values())

    def _save_table(self, checkpoint: str) -> None:
        filed = next(iter(self._evaluators.values())).filed(checkpoint)
        names: List[str] = sorted(filed.contents, key=self._place)
        contents = {name: filed.contents[name] for name in names}
        measured = [Measured(_label(contents), self._network, contents)]
        tables.save(measured, filed.folder, _TABLE + filed.suffix)

    def _place(self, name: str) -> int:
        """Where a set stands in the table: in the order of the user, then those of before."""
        for place, own in enumerate(self._evaluators):
            if name == own or name.startswith(own + "-"):
                return place
        return len(self._evaluators)


def named(options: EvaluationOptions) -> Dict[str, str]:
    """The folders of the sets by the names of these, in the order of the user.

    Raises:
      UserError: one is no folder of records, two have one name, or the set that is to decide is not
        among them.
    """
    folders: Dict[str, str] = {}
    for folder in options.folders:
        name = Manifest.load_alone(folder).name_in(folder)
        if name in folders:
            raise UserError(
                "--eval_data_dir has two sets called %s, %s and %s; leave one out, or convert "
                "it again with a --name of its own" % (name, folders[name], folder)
            )
        folders[name] = folder
    if options.best_by and options.best_by not in folders:
        raise UserError(
            "--best_by=%s is none of the sets of --eval_data_dir, which are called %s"
            % (options.best_by, ", ".join(folders))
        )
    return folders


def _label(found: Dict[str, Dict[str, Any]]) -> str:
    """What the network is called where it is alone: its checkpoint."""
    return next(iter(found.values()))["weights"]["checkpoint"]
