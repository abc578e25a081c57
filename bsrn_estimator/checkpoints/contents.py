"""What a checkpoint holds, and whether it fits a network.

A checkpoint of the reference implementation has the names and shapes of this project's, and no
`global_step`; so both are served alike.
"""

import dataclasses
import os
import re
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple, Type

import numpy as np

from bsrn_estimator.checkpoints import config_file, literal
from bsrn_estimator.checkpoints.config_file import FILE_NAME, Config
from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks import families
from bsrn_estimator.networks.base import Network

SLOTS = ("/Adam", "/Adam_1")
AVERAGE = "/ExponentialMovingAverage"
POWERS = ("beta1_power", "beta2_power")
# What version 0.1.0 put before them where a GPU mixed precisions: a condition of TensorFlow's.
_FORMER = re.compile(r"cond(_\d+)?/")
_LISTED = 4


@dataclasses.dataclass(frozen=True)
class Description:
    """What a checkpoint holds.

    Attributes:
      prefix: its path without the endings of its files.
      shapes: the shape of every variable in it, by name.
      family: the family of its network.
      told: the fields of the network that the shapes tell.
      has_optimizer: whether Adam's state of every weight is there.
      global_step: steps taken; None where that is not saved, as in the reference implementation.
    """

    prefix: str
    shapes: Dict[str, Tuple[int, ...]]
    family: Type[Network]
    told: Mapping[str, Any]
    has_optimizer: bool
    global_step: Optional[int]

    @property
    def scales(self) -> Tuple[int, ...]:
        """The scales that it has all weights of."""
        return self.told["scales"]

    @property
    def weights(self) -> List[str]:
        """Names of the weights of the network, in order."""
        return _weights(self.shapes, self.family)

    @property
    def optimizer_names(self) -> List[str]:
        """Names of the variables of Adam, as far as they are there, in order."""
        slots = _slots(self.shapes, self.family)
        return [name for name in list(POWERS) + slots if self.saved(name) in self.shapes]

    def saved(self, name: str) -> str:
        """The name under which it has a variable of Adam; see `saved_power`."""
        return saved_power(name, self.shapes) if name in POWERS else name

    @property
    def is_former(self) -> bool:
        """Whether it has variables under the names of version 0.1.0."""
        return any(self.saved(name) != name for name in POWERS)

    @property
    def is_averaged(self) -> bool:
        """Whether the moving average of every weight is there."""
        return all(name + AVERAGE in self.shapes for name in self.weights)

    def trained(self, weight: str) -> str:
        """The name of what training made of a weight: its moving average, where there is one."""
        return weight + AVERAGE if self.is_averaged else weight

    @property
    def known_step(self) -> Optional[int]:
        """Steps taken: those saved, else what the configuration beside says; None without."""
        if self.global_step is not None:
            return self.global_step
        return config_file.step_in(os.path.dirname(self.prefix))

    @property
    def parameters(self) -> int:
        """The number of trainable parameters."""
        learnt = filter(self.family.learns, self.weights)
        return sum(int(np.prod(self.shapes[name])) for name in learnt)


def describe(prefix: str) -> Description:
    """Reads what the checkpoint at `prefix` (see `files.resolve`) holds.

    Raises:
      UserError: it holds no network of a family that there is.
    """
    reader = literal.reader(prefix)
    shapes = {n: tuple(shape) for n, shape in reader.get_variable_to_shape_map().items()}
    found = families.told_by(shapes)
    if found is None:
        raise UserError(
            "%s holds no network of this project: among its %d variables are not those of the "
            "first convolution, a block and the last convolution of one" % (prefix, len(shapes))
        )
    family, told = found
    slots = _slots(shapes, family)
    step = tf.GraphKeys.GLOBAL_STEP
    return Description(
        prefix=prefix,
        shapes=shapes,
        family=family,
        told=told,
        has_optimizer=all(
            name in shapes for name in slots + [saved_power(power, shapes) for power in POWERS]
        ),
        global_step=int(reader.get_tensor(step)) if step in shapes else None,
    )


def saved_power(name: str, names: Iterable[str]) -> str:
    """The name under which a checkpoint has one of `POWERS`.

    Args:
      name: that of the variable in the graph.
      names: all that the checkpoint holds.
    """
    if name in names:
        return name
    former = [n for n in names if n.endswith("/" + name) and _FORMER.fullmatch(n[: -len(name)])]
    return min(former, default=name)


def _weights(names, family: Type[Network]) -> List[str]:
    """Those of `names` that are weights of the network, in order."""
    beside = SLOTS + (AVERAGE,)
    return sorted(n for n in names if n.startswith(family.scope) and not n.endswith(beside))


def _slots(names, family: Type[Network]) -> List[str]:
    """The names that Adam's variables have, of those of `names` that are weights that learn."""
    learnt = filter(family.learns, _weights(names, family))
    return [name + slot for name in learnt for slot in SLOTS]


def network_of(prefix: str, given: Optional[Mapping[str, Any]] = None) -> Network:
    """The network in a checkpoint.

    Most is read off the shapes. What no shape tells is taken from `given`, else from the
    configuration saved beside the checkpoint.

    Args:
      prefix: path prefix of the checkpoint (see `files.resolve`).
      given: the fields that the user gave, of those in `Network.untold`.

    Returns:
      A network whose scales are all that the checkpoint has.

    Raises:
      UserError: neither `given` nor a saved configuration tells what has to be known, or the saved
        configuration is of another network.
    """
    description = describe(prefix)
    folder = os.path.dirname(prefix)
    given = given or {}
    fields: Dict[str, Any] = {}
    if config_file.exists(folder):
        saved = Config.load(folder).network
        check_fit(description, saved)
        fields = saved.to_dict()
    untold = description.family.untold
    fields.update((name, given[name]) for name in untold if name in given)
    missing = ["--" + name for name in untold if name not in fields]
    if missing:
        raise UserError(
            "no shape in %s tells its %s and no %s lies beside it; give %s as it was trained with"
            % (prefix, untold[0], FILE_NAME, " and ".join(missing))
        )
    fields.update(description.told)
    return description.family(**fields)


def check_fit(
    description: Description, network: Network, with_optimizer: bool = False, advice: str = ""
) -> None:
    """Raises UserError, listing what differs, unless the checkpoint serves `network`.

    It may hold more scales than the network has. With `with_optimizer` it also has to hold Adam's
    state. `advice` ends the list.
    """
    faults = _differing(description, network)
    if not faults:
        for name, shape in sorted(network.weight_shapes().items()):
            saved = network.saved_name(name, description.shapes)
            found = description.shapes.get(saved)
            if found is None:
                faults.append("it has no %s" % saved)
            elif found != shape:
                faults.append("%s is %s, not %s" % (saved, list(found), list(shape)))
    if faults:
        more = "; and %d more" % (len(faults) - _LISTED) if len(faults) > _LISTED else ""
        raise UserError(
            "%s does not fit the network: %s%s%s"
            % (description.prefix, "; ".join(faults[:_LISTED]), more, advice)
        )
    if with_optimizer and not description.has_optimizer:
        raise UserError(
            "%s holds no state of Adam to continue with; leave --initial_step out to start from "
            "its weights alone" % description.prefix
        )


def weights_that_differ(description: Description, network: Network) -> List[str]:
    """Names of the weights of `network` that a checkpoint lacks or has in another shape."""
    return [
        name
        for name, shape in sorted(network.weight_shapes().items())
        if description.shapes.get(network.saved_name(name, description.shapes)) != shape
    ]


def _differing(description: Description, network: Network) -> List[str]:
    """What the shapes of a checkpoint tell of another network than `network`."""
    # A family may be another's, trained otherwise: then the weights of one serve the other.
    kinds = type(network), description.family
    if not (issubclass(*kinds) or issubclass(*reversed(kinds))):
        return ["it is a network of the family %s" % description.family.family]
    lacking = [scale for scale in network.scales if scale not in description.scales]
    faults = ["it has no upscaler for x%d" % scale for scale in lacking]
    for field, found in description.told.items():
        expected = getattr(network, field)
        if field != "scales" and found != expected:
            faults.append("its %s are %s, not %s" % (field, found, expected))
    return faults
