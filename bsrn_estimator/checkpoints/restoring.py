"""How the values of a checkpoint come into the network of a graph."""

from typing import Callable, Dict, Optional

from bsrn_estimator.checkpoints.contents import (
    AVERAGE,
    POWERS,
    SLOTS,
    Description,
    check_fit,
    describe,
    name_of,
    saved_name,
)
from bsrn_estimator.compat import tf
from bsrn_estimator.config import Config


def restorer(prefix: str, config: Config, with_optimizer: bool = False) -> Callable:
    """Makes a function that gives the network in the default graph the values of a checkpoint.

    To be called when the graph is built, for it adds operations; then the function, once or more.

    Args:
      prefix: path prefix of the checkpoint (see `resolve`).
      config: the hyper-parameters that the graph was built with; of its scales, those count that
        the graph has.
      with_optimizer: whether Adam's variables are restored too.

    Returns:
      `restore(session)`.

    Raises:
      UserError: the checkpoint does not fit; the sentence lists what differs.
    """
    description = describe(prefix)
    check_fit(description, config, with_optimizer)
    saver = tf.train.Saver(_variables(config, description, with_optimizer))
    return lambda session: saver.restore(session, prefix)


def initial_weights(
    prefix: str,
    config: Config,
    with_optimizer: bool = False,
    initial_step: Optional[int] = None,
) -> Callable:
    """A start for training: the weights of a checkpoint, with or without the state of Adam.

    Args:
      prefix: path prefix of the checkpoint (see `resolve`).
      config: the hyper-parameters of the training run.
      with_optimizer: whether Adam goes on with its state, too.
      initial_step: the step that training starts to count from, and the schedule of the learning
        rate with it; None for 0.

    Returns:
      A function to be called in the finished graph of a training step; it returns the
      tf.train.Scaffold that starts a new run so. A run that goes on from a checkpoint of its own
      folder is left alone by it.

    Raises:
      UserError: the checkpoint does not fit; the sentence lists what differs.
    """
    description = describe(prefix)
    check_fit(description, config, with_optimizer)

    def scaffold():
        # Not by a Saver: this alone reaches every replica of a variable.
        tf.train.init_from_checkpoint(prefix, _variables(config, description, with_optimizer))
        averages = _averages(config, description)
        if averages:
            tf.train.init_from_checkpoint(prefix, averages)
        if not initial_step:
            return tf.train.Scaffold()
        step = tf.assign(tf.train.get_global_step(), initial_step)
        return tf.train.Scaffold(init_fn=lambda _, session: session.run(step.op))

    return scaffold


def reading_scaffold(prefix: str, config: Config) -> Callable:
    """What lets an Estimator evaluate or predict with a checkpoint that has no `global_step`.

    Args:
      prefix: path prefix of the checkpoint, which is also given to the Estimator.
      config: the hyper-parameters.

    Returns:
      A function to be called in the finished graph; it returns the tf.train.Scaffold.

    Raises:
      UserError: the checkpoint does not fit; the sentence lists what differs.
    """
    description = describe(prefix)
    check_fit(description, config)

    def scaffold():
        variables = _variables(config, description, with_optimizer=False)
        prepare = [tf.train.Scaffold.default_local_init_op()]
        step = tf.train.get_global_step()
        if step is not None and description.global_step is not None:
            variables[tf.GraphKeys.GLOBAL_STEP] = step
        elif step is not None:
            prepare.append(step.initializer)
        return tf.train.Scaffold(
            saver=tf.train.Saver(variables),
            ready_for_local_init_op=tf.report_uninitialized_variables(list(variables.values())),
            local_init_op=tf.group(*prepare),
        )

    return scaffold


def _variables(config: Config, description: Description, with_optimizer: bool) -> Dict:
    """The variables of the default graph that `description` has values for, by saved name."""
    weights = {
        saved_name(name_of(v), config, description): v for v in tf.trainable_variables("generator/")
    }
    if not with_optimizer:
        return {description.trained(name): variable for name, variable in weights.items()}
    for variable in tf.global_variables():
        name = name_of(variable)
        if name in POWERS or (name.startswith("generator/") and name.endswith(SLOTS)):
            weights[saved_name(name, config, description)] = variable
    return weights


def _averages(config: Config, description: Description) -> Dict:
    """The moving averages in the default graph, by the saved name of what they start from."""
    found = {}
    for variable in tf.global_variables():
        name = name_of(variable)
        if name.endswith(AVERAGE):
            weight = saved_name(name[: -len(AVERAGE)], config, description)
            found[description.trained(weight)] = variable
    return found
