"""Evaluates a checkpoint on whole pictures: every scale in one go, a table, metrics.json."""

import os
from typing import Any, Dict, List, Optional, Sequence

from bsrn_estimator.checkpoints import restoring
from bsrn_estimator.compat import tf
from bsrn_estimator.data import input_fn
from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation import model_fn as evaluation
from bsrn_estimator.evaluation import report
from bsrn_estimator.evaluation.options import Destination, EvaluationOptions
from bsrn_estimator.networks.base import Network
from bsrn_estimator.networks.precision import FLOAT32, scope
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.platforms.options import RunOptions


class Evaluator:
    """Evaluates checkpoints of one network on one set of records.

    Results go to MODEL_DIR/evaluation/step-N, curves to MODEL_DIR/eval.

    Args:
      network: the network.
      platform: the devices.
      run: how the run is carried out; its model folder takes the results.
      options: the records, the protocol, and what to write.
      scales: the scales to evaluate; by default all that the network has.
      precision: in which the network is computed, see `networks.precision`; metrics.json says it.

    Raises:
      UserError: the records cannot serve the scales.
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
        self._precision = precision
        self._network, self._platform, self._run, self._options = network, platform, run, options
        self._scales = tuple(scales or network.scales)
        self._read = input_fn.evaluation_input_fn(options.eval_data_dir, self._scales)
        self._manifest = Manifest.load_alone(options.eval_data_dir)

    def recorded(self, step: int) -> Optional[Dict[str, Any]]:
        """The metrics.json of an evaluation at `step` that came to its end; None without one."""
        folder = os.path.join(self._run.model_dir, "evaluation")
        path = os.path.join(folder, "step-%d" % step, report.FILE_NAME)
        try:
            return report.load(path)
        except UserError:
            return None

    def evaluate(
        self, checkpoint: str, hooks: Sequence["tf.train.SessionRunHook"] = ()
    ) -> Dict[str, Any]:
        """Evaluates a checkpoint, prints the table and returns the metrics.json.

        Args:
          checkpoint: its path prefix.
          hooks: run beside the pictures.

        Raises:
          UserError: it does not fit the network.
        """
        scaffold = restoring.reading_scaffold(checkpoint, self._network)
        singles = self._options.single_outputs
        taken: List[Dict[str, Any]] = []
        with self._platform.evaluation_network(
            self._results,
            self._network.result_names(singles),
            self._run,
            checkpoint,
            scaffold,
        ) as results:

            def model_fn(features, labels, mode):
                assert mode == tf.estimator.ModeKeys.EVAL, mode
                return evaluation.spec(
                    features,
                    labels,
                    self._network,
                    self._scales,
                    self._options,
                    self._destination(taken),
                    results,
                    scaffold,
                )

            estimator = self._platform.evaluation_estimator(model_fn, self._run)
            estimator.evaluate(self._read, hooks=list(hooks), checkpoint_path=checkpoint)
        if not taken:
            raise UserError("no evaluation was carried to its end")
        print("\n%s\n" % report.table(taken[-1]), flush=True)
        return taken[-1]

    def _results(self, lr: Any, scale: int) -> Dict[str, Any]:
        with scope(self._precision):
            return self._network.results(lr, scale, self._options.single_outputs)

    def _destination(self, taken: List[Dict[str, Any]]) -> Destination:
        return Destination(
            directory=os.path.join(self._run.model_dir, "evaluation"),
            summary_dir=os.path.join(self._run.model_dir, "eval"),
            data_set=self._manifest.dataset,
            precision=self._precision,
            pictures=self._manifest.records,
            take=taken.append,
        )
