"""Evaluates a checkpoint on whole pictures: every scale in one go, a table, metrics.json."""

import os
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

from bsrn_estimator.checkpoints import contents, literal, restoring
from bsrn_estimator.checkpoints.trained import TrainedNetwork
from bsrn_estimator.compat import tf
from bsrn_estimator.data import input_fn
from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation import model_fn as evaluation
from bsrn_estimator.evaluation import report
from bsrn_estimator.evaluation.curves import BICUBIC, Curves, pictures_drawn
from bsrn_estimator.evaluation.filing import Cabinet, Filed, Subject
from bsrn_estimator.evaluation.options import Destination, EvaluationOptions
from bsrn_estimator.networks.base import Network
from bsrn_estimator.networks.precision import FLOAT32, scope
from bsrn_estimator.platforms.base import Platform
from bsrn_estimator.platforms.options import RunOptions


class Evaluator:
    """Evaluates checkpoints of one network on one set of records.

    Results go to MODEL_DIR/evaluation/step-N/SET, curves to MODEL_DIR/eval_SET; see `filing`
    and `curves`.

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
        every = set(self._scales) == set(network.scales)
        self._subject = Subject.of(self._manifest, options, self._scales, every, precision)
        self._cabinet = Cabinet(run.model_dir, self._subject)

    def filed(self, checkpoint: str) -> Filed:
        """All that was measured of a checkpoint, of other sets and protocols too."""
        step, _, weights, foreign = self._filed_under(checkpoint)
        return self._cabinet.of_weights(step, weights["digest"], foreign)

    def recorded(self, checkpoint: str) -> Optional[Dict[str, Any]]:
        """The metrics.json of an evaluation of this checkpoint that came to its end.

        Args:
          checkpoint: its path prefix.

        Returns:
          Its content; None where the figures that are asked for were not taken yet.
        """
        step, name, weights, _ = self._filed_under(checkpoint)
        return self._cabinet.recorded(step, name, weights["digest"], self._options)

    def path(self, checkpoint: str) -> str:
        """Where the metrics.json of a checkpoint lies, once it is evaluated."""
        step, name, _, _ = self._filed_under(checkpoint)
        return os.path.join(self._cabinet.folder(step, name), report.FILE_NAME)

    def evaluate(
        self, checkpoint: str, hooks: Sequence["tf.train.SessionRunHook"] = ()
    ) -> Dict[str, Any]:
        """Evaluates a checkpoint, prints the table and returns the metrics.json.

        That file is written last, when the curves are on the disk: it says that all is done.

        Args:
          checkpoint: its path prefix.
          hooks: run beside the pictures.

        Raises:
          UserError: it does not fit the network.
        """
        step, name, weights, _ = self._filed_under(checkpoint)
        folder = self._cabinet.folder(step, name)
        taken: List[Dict[str, Any]] = []
        drawn = os.path.join(literal.folder(self._run.model_dir), "eval_" + name)
        curves = Curves(drawn, self._subject.tag)
        if os.path.isdir(folder) and self._cabinet.is_last(step, name):
            curves.take_back(step)
        os.makedirs(folder, exist_ok=True)
        earlier = self._cabinet.before(step, name)
        destination = Destination(
            folder,
            drawn,
            self._precision,
            self._manifest.records,
            summary_pictures=pictures_drawn(len(earlier)),
            data_set=self._subject.tag,
            take=taken.append,
        )
        self._measure(checkpoint, name, destination, hooks)
        if not taken:
            raise UserError("no evaluation was carried to its end")
        content: Dict[str, Any] = dict({"global_step": step}, **self._subject.to_dict())
        content["weights"] = weights
        content.update((key, taken[-1][key]) for key in taken[-1] if key not in content)
        curves.add(content, earlier)
        report.save(content, folder)
        print("\n%s\n" % report.table(content), flush=True)
        return content

    def _filed_under(self, checkpoint: str) -> Tuple[Optional[int], str, Dict[str, Any], bool]:
        """Step, name and weights under which figures are filed; whether others may have these."""
        description = contents.describe(checkpoint)
        step = description.known_step
        weights: Dict[str, Any] = {
            "checkpoint": os.path.basename(checkpoint),
            "moving_average": description.is_averaged,
            "digest": TrainedNetwork(checkpoint, self._network).identity(),
        }
        home = os.path.realpath(self._run.model_dir)
        # A checkpoint that does not hold its step may have others beside it that do not.
        of_run = os.path.realpath(os.path.dirname(checkpoint)) == home
        foreign = description.global_step is None or not of_run
        return step, self._cabinet.name(step, weights["digest"], foreign), weights, foreign

    def _measure(
        self, checkpoint: str, name: str, destination: Destination, hooks: Sequence
    ) -> None:
        """Runs all pictures through the network."""
        scaffold = restoring.reading_scaffold(checkpoint, self._network)
        singles = self._options.single_outputs
        with self._platform.evaluation_network(
            self._results,
            self._network.result_names(singles),
            self._run,
            checkpoint,
            scaffold,
        ) as results:
            model_fn = self._model_fn(destination, results, scaffold)
            estimator = self._platform.evaluation_estimator(model_fn, self._run)
            path = literal.prefix(checkpoint)
            estimator.evaluate(self._read, hooks=list(hooks), checkpoint_path=path, name=name)

    def _model_fn(
        self, destination: Destination, results: Optional[Callable], scaffold
    ) -> Callable:
        def model_fn(features, labels, mode):
            assert mode == tf.estimator.ModeKeys.EVAL, mode
            spec = evaluation.spec(
                features,
                labels,
                self._network,
                self._scales,
                self._options,
                destination,
                results,
                scaffold,
            )
            # The Estimator draws what it is given; bicubic has curves of its own.
            ops = spec.eval_metric_ops
            drawn = {name: ops[name] for name in ops if not name.startswith(BICUBIC)}
            return spec._replace(eval_metric_ops=drawn)

        return model_fn

    def _results(self, lr: Any, scale: int) -> Dict[str, Any]:
        """The network as a device with graphs of its own compiles it."""
        with scope(self._precision):
            return self._network.results(lr, scale, self._options.single_outputs)
