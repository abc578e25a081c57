"""The network that options name, in the engine that is to compute it."""

from typing import Any, Callable

from bsrn_estimator.checkpoints import SHIPPED
from bsrn_estimator.checkpoints.options import UseOptions
from bsrn_estimator.checkpoints.usable import TENSORFLOW, UsableNetwork
from bsrn_estimator.engines import choice, runtimes
from bsrn_estimator.errors import UserError, install_command
from bsrn_estimator.export import finding as exports
from bsrn_estimator.networks.precision import FLOAT32
from bsrn_estimator.platforms.options import RunOptions


def find(
    options: UseOptions,
    wish: choice.Wish,
    platform: Callable[[], Any],
    run_options: RunOptions,
    other_engines: bool = True,
) -> UsableNetwork:
    """The network, run by what `wish` says; TensorFlow is imported where that is what runs it.

    Args:
      options: which network.
      wish: how it is to be computed.
      platform: gives the platform for TensorFlow.
      run_options: how many threads a session of TensorFlow takes.
      other_engines: whether another engine than TensorFlow may be chosen.

    Raises:
      UserError: there is no such network, or nothing that computes it.
    """
    found = choice.find(options, wish) if other_engines else None
    if found is not None:
        return found
    if not runtimes.is_installed(TENSORFLOW):
        raise UserError(
            "%s takes TensorFlow here, which is not installed; install it, or %s, which run ONNX "
            "models and the networks that come with the project"
            % (
                options.named or "the network",
                " or ".join(install_command(name) for name in runtimes.OTHERS),
            )
        )
    chosen = platform()
    precision = chosen.precision_of_pictures(wish.mixed)
    return in_tensorflow(options, chosen.session_config(run_options), precision)


def in_tensorflow(
    options: UseOptions, session_config: Any = None, precision: str = FLOAT32
) -> UsableNetwork:
    """The network of a checkpoint or of an exported model, run by TensorFlow.

    Args:
      options: which network.
      session_config: a tf.ConfigProto with the devices and threads to use; None for all.
      precision: in which the network is computed, see `networks.precision`.
    """
    from bsrn_estimator.checkpoints import trained
    from bsrn_estimator.export import exported

    named = options.named
    if named and named not in SHIPPED and exports.is_export(named):
        return exported.ExportedNetwork(named, session_config, precision)
    return trained.find(named, options.given, session_config, precision)
