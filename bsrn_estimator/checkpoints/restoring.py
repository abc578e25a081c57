"""How the values of a checkpoint come into the network of a graph."""

from typing import Callable, Dict, Optional

from bsrn_estimator.checkpoints import contents, literal
from bsrn_estimator.checkpoints.contents import (
    AVERAGE,
    POWERS,
    SLOTS,
    Description,
    check_fit,
    describe,
)
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks import batch_norm
from bsrn_estimator.networks.base import Network


def restorer(prefix: str, network: Network, with_optimizer: bool = False) -> Callable:
    """Makes a function that gives the network in the default graph the values of a checkpoint.

    To be called when the graph is built, for it adds operations; then the function, once or more.

    Args:
      prefix: path prefix of the checkpoint (see `resolve`).
      network: the network that the graph was built with; of its scales, those count that
        the graph has.
      with_optimizer: whether Adam's variables are restored too.

    Returns:
      `restore(session)`.

    Raises:
      UserError: the checkpoint does not fit; the sentence lists what differs.
    """
    description = describe(prefix)
    check_fit(description, network, with_optimizer)
    saver = tf.train.Saver(_variables(network, description, with_optimizer))
    return lambda session: saver.restore(session, literal.prefix(prefix))


def initial_weights(
    prefix: str,
    network: Network,
    with_optimizer: bool = False,
    initial_step: Optional[int] = None,
    partial: bool = False,
) -> Callable:
    """A start for training: the weights of a checkpoint, with or without the state of Adam.

    Args:
      prefix: path prefix of the checkpoint (see `resolve`).
      network: the network that is trained.
      with_optimizer: whether Adam goes on with its state, too.
      initial_step: the step that training starts to count from, and the schedule of the learning
        rate with it; None for 0.
      partial: takes the weights that fit; the others start as in a run without a checkpoint, and
        are named on the standard output.

    Returns:
      A function to be called in the finished graph of a training step; it returns the
      tf.train.Scaffold that starts a new run so. A run that goes on from a checkpoint of its own
      folder is left alone by it.

    Raises:
      UserError: the checkpoint does not fit; the sentence lists what differs.
    """
    description = describe(prefix)
    if partial:
        _say_what_fits(description, network)
    else:
        advice = "; --partial_checkpoint takes the weights that fit and starts the others afresh"
        check_fit(description, network, with_optimizer, advice)

    def scaffold():
        # Not by a Saver: this alone reaches every replica of a variable.
        path = literal.prefix(prefix)
        for variables in (
            _variables(network, description, with_optimizer),
            _averages(network, description),
        ):
            if partial:
                variables = {
                    name: variable
                    for name, variable in variables.items()
                    if description.shapes.get(name) == tuple(variable.shape.as_list())
                }
            if variables:
                tf.train.init_from_checkpoint(path, variables)
        if not initial_step:
            return tf.train.Scaffold()
        step = tf.assign(tf.train.get_global_step(), initial_step)
        return tf.train.Scaffold(init_fn=lambda _, session: session.run(step.op))

    return scaffold


def _say_what_fits(description: Description, network: Network) -> None:
    """Says which weights a checkpoint gives, and which start afresh.

    Raises:
      UserError: it gives none.
    """
    fresh = contents.weights_that_differ(description, network)
    count = len(network.weight_shapes())
    if len(fresh) == count:
        raise UserError(
            "%s has no weight that fits the network; leave --checkpoint out, or name another one"
            % description.prefix
        )
    print(
        "first weights from %s: %d of %d tensors; start afresh: %s"
        % (description.prefix, count - len(fresh), count, ", ".join(fresh) or "none"),
        flush=True,
    )


def reading_scaffold(prefix: str, network: Network) -> Callable:
    """What lets an Estimator evaluate or predict with a checkpoint that has no `global_step`.

    Args:
      prefix: path prefix of the checkpoint, which is also given to the Estimator.
      network: the network.

    Returns:
      A function to be called in the finished graph; it returns the tf.train.Scaffold.

    Raises:
      UserError: the checkpoint does not fit; the sentence lists what differs.
    """
    description = describe(prefix)
    check_fit(description, network)

    def scaffold():
        variables = _variables(network, description, with_optimizer=False)
        prepare = [tf.train.Scaffold.default_local_init_op()]
        step = tf.train.get_global_step()
        if step is not None and description.global_step is not None:
            variables[tf.GraphKeys.GLOBAL_STEP] = step
        elif step is not None:
            prepare.append(step.assign(description.known_step or 0))
        return tf.train.Scaffold(
            saver=tf.train.Saver(variables),
            ready_for_local_init_op=tf.report_uninitialized_variables(list(variables.values())),
            local_init_op=tf.group(*prepare),
        )

    return scaffold


def averages_scaffold() -> "tf.train.Scaffold":
    """What gives the weights of the default graph the moving averages that training kept of them.

    For an Estimator that evaluates or predicts from checkpoints of its own folder.
    """
    averaged = {_name(variable): variable for variable in batch_norm.variables()}
    saved = {name + AVERAGE: variable for name, variable in averaged.items()}
    for variable in tf.global_variables():
        if _name(variable) not in averaged:
            saved[_name(variable)] = variable
    return tf.train.Scaffold(saver=tf.train.Saver(saved))


def _variables(network: Network, description: Description, with_optimizer: bool) -> Dict:
    """The variables of the default graph that `description` has values for, by saved name."""
    weights = {
        network.saved_name(_name(v), description.shapes): v
        for v in batch_norm.variables(network.scope)
    }
    if not with_optimizer:
        return {description.trained(name): variable for name, variable in weights.items()}
    for variable in tf.global_variables():
        name = _name(variable)
        if name in POWERS:
            weights[description.saved(name)] = variable
        elif name.startswith(network.scope) and name.endswith(SLOTS):
            weights[network.saved_name(name, description.shapes)] = variable
    return weights


def _averages(network: Network, description: Description) -> Dict:
    """The moving averages in the default graph, by the saved name of what they start from."""
    found = {}
    for variable in tf.global_variables():
        name = _name(variable)
        if name.endswith(AVERAGE):
            weight = network.saved_name(name[: -len(AVERAGE)], description.shapes)
            found[description.trained(weight)] = variable
    return found


def _name(variable) -> str:
    # Not that of its operation: a variable of several replicas has more than one.
    return variable.name.split(":")[0]
