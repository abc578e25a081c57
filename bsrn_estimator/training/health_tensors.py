"""What the health of a run is computed from, in the graph of a training step."""

from typing import Any, Dict, List, Sequence, Tuple

from bsrn_estimator.compat import tf
from bsrn_estimator.networks import probe
from bsrn_estimator.networks.base import Network

# Collections of pairs of a name and a tensor; replicas add a pair of the same name each.
_UNITS, _GRADIENTS, _WEIGHTS = (
    "bsrn_health_units",
    "bsrn_health_gradients",
    "bsrn_health_weights",
)


def add(network: Network, gradients: Sequence[Tuple[Any, Any]]) -> None:
    """Adds them to the default graph, in which no step computes them by itself.

    Args:
      network: the network, whose weights are there.
      gradients: (gradient, variable) pairs of the step, before they are clipped.
    """
    for name, layer in probe.layers(network).items():
        tf.add_to_collection(_UNITS, (name, layer))
    for gradient, variable in gradients:
        name = short(variable.op.name, network)
        tf.add_to_collection(_GRADIENTS, (name, tf.norm(gradient)))
        tf.add_to_collection(_WEIGHTS, (name, variable.read_value()))


def units() -> Dict[str, probe.Layer]:
    """The layers on the probe, by name; of replicas those of one, as all have the same weights."""
    return _first_of_each(_UNITS)


def weights() -> Dict[str, Any]:
    """The value of every weight, by its short name."""
    return _first_of_each(_WEIGHTS)


def gradient_norms() -> Dict[str, List[Any]]:
    """The L2 norm of every gradient of a step, by the weight's short name; one of each replica."""
    found: Dict[str, List[Any]] = {}
    for name, tensor in tf.get_collection(_GRADIENTS):
        found.setdefault(name, []).append(tensor)
    return found


def short(name: str, network: Network) -> str:
    """The name of a weight without what all of them begin with."""
    return name[len(network.scope) :] if name.startswith(network.scope) else name


def _first_of_each(collection: str) -> Dict[str, Any]:
    found: Dict[str, Any] = {}
    for name, value in tf.get_collection(collection):
        found.setdefault(name, value)
    return found
