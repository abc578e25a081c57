"""Evaluates a checkpoint on whole pictures: every scale in one go, a table, metrics.json."""

import dataclasses
import functools
import os
from typing import Any, Dict, Optional, Sequence

from bsrn_estimator.checkpoints import restoring
from bsrn_estimator.compat import tf
from bsrn_estimator.config import Config
from bsrn_estimator.data import input_fn
from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation import model_fn as evaluation_model_fn
from bsrn_estimator.evaluation import report
from bsrn_estimator.evaluation.options import EvaluationOptions
from bsrn_estimator.platforms.base import Platform, RunOptions


class Evaluator:
    """Evaluates checkpoints of one network on one set of records.

    Results go to MODEL_DIR/evaluation/step-N, curves to MODEL_DIR/eval.

    Args:
      config: the hyper-parameters.
      platform: the devices.
      run: how the run is carried out; its model folder takes the results.
      data_dir: folder of evaluation records.
      scales: the scales to evaluate.
      options: the protocol, and what to write.

    Raises:
      UserError: the records cannot serve the scales.
    """

    def __init__(
        self,
        config: Config,
        platform: Platform,
        run: RunOptions,
        data_dir: str,
        scales: Sequence[int],
        options: EvaluationOptions,
    ) -> None:
        self._config, self._platform, self._run, self._scales = config, platform, run, scales
        self._read = input_fn.evaluation_input_fn(data_dir, scales)
        self._options = dataclasses.replace(
            options,
            directory=os.path.join(run.model_dir, "evaluation"),
            summary_dir=os.path.join(run.model_dir, "eval"),
            data_set=Manifest.load(data_dir).dataset,
        )

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
          UserError: it does not fit the configuration.
        """
        scaffold = restoring.reading_scaffold(checkpoint, self._config)
        single_outputs = self._options.single_outputs
        network = functools.partial(
            evaluation_model_fn.results_of, config=self._config, single_outputs=single_outputs
        )
        names = evaluation_model_fn.output_names(self._config, single_outputs)
        with self._platform.evaluation_network(
            network, names, self._run, checkpoint, scaffold
        ) as results:
            build = evaluation_model_fn.build(
                self._config, self._scales, self._options, scaffold, results
            )
            estimator = self._platform.evaluation_estimator(build, self._run)
            estimator.evaluate(self._read, hooks=list(hooks), checkpoint_path=checkpoint)
        metrics = self._options.result()
        print("\n%s\n" % report.table(metrics), flush=True)
        return metrics
