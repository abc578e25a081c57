"""The evaluation of one picture as an Estimator builds it: the network's results, measured."""

import functools
from typing import Callable, Dict, List, Optional, Sequence

from bsrn_estimator.compat import tf
from bsrn_estimator.config import Config
from bsrn_estimator.evaluation import hook
from bsrn_estimator.evaluation.options import EvaluationOptions
from bsrn_estimator.networks import bsrn_layers


def build(
    config: Config,
    scales: Sequence[int] = (),
    options: Optional[EvaluationOptions] = None,
    scaffold: Callable = lambda: None,
    results: Optional[Callable] = None,
) -> Callable:
    """A `model_fn` for tf.estimator that evaluates, and knows no other mode.

    Args:
      config: the hyper-parameters.
      scales: the scales that are evaluated; all of the network's by default.
      options: the protocol, and what to write; the defaults write nothing.
      scaffold: makes the tf.train.Scaffold of the session, or None; called when the graph is
        complete.
      results: (lr, scale) to {output: picture}, what is taken in the place of `results_of`.

    Returns:
      `model_fn(features, labels, mode)`; features and labels are those of `input_fn`.
    """
    options = options or EvaluationOptions()

    def model_fn(features, labels, mode):
        assert mode == tf.estimator.ModeKeys.EVAL, mode
        plain = functools.partial(results_of, config=config, single_outputs=options.single_outputs)
        made = {
            scale: (results or plain)(features["lr_x%d" % scale], scale)
            for scale in scales or config.scales
        }
        metric_ops, measuring = hook.build(features, labels, made, options)
        return tf.estimator.EstimatorSpec(
            tf.estimator.ModeKeys.EVAL,
            loss=tf.zeros([]),
            eval_metric_ops=metric_ops,
            evaluation_hooks=[measuring],
            scaffold=scaffold(),
        )

    return model_fn


def output_names(config: Config, single_outputs: bool = False) -> List[str]:
    """The names of what `results_of` gives: "ensemble", and for single outputs "t1", "t2", ..."""
    singles = config.output_recursions if single_outputs else ()
    return ["ensemble"] + ["t%d" % recursion for recursion in singles]


def results_of(lr, scale: int, config: Config, single_outputs: bool = False) -> Dict:
    """What an evaluation measures of one picture.

    Args:
      lr: [1, height, width, 3], RGB in 0..255, any dtype.
      scale: one of `config.scales`.
      config: the hyper-parameters.
      single_outputs: adds the picture after each recursion that has an output.

    Returns:
      Float32 [1, scale * height, scale * width, 3] by `output_names`, neither rounded nor clipped.
    """
    trunk = bsrn_layers.trunk(lr, config)
    made = [bsrn_layers.ensemble_of(trunk, scale, config)]
    if single_outputs:
        made += bsrn_layers.outputs_of(trunk, scale, config)
    return dict(zip(output_names(config, single_outputs), made))
