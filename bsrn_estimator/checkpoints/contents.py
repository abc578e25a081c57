"""What a checkpoint holds, and whether it fits a network.

A checkpoint of the reference implementation has the names and shapes of this project's, and no
`global_step`; so both are served alike.
"""

import dataclasses
import os
import re
from typing import Dict, List, Optional, Tuple

import numpy as np

from bsrn_estimator.compat import tf
from bsrn_estimator.config import FILE_NAME, Config
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks import bsrn_layers

SLOTS = ("/Adam", "/Adam_1")
AVERAGE = "/ExponentialMovingAverage"
POWERS = ("beta1_power", "beta2_power")
_LAST_CONV = "generator/last_conv/"
_LISTED = 4


@dataclasses.dataclass(frozen=True)
class Description:
    """What a checkpoint holds.

    Attributes:
      prefix: its path without the endings of its files.
      shapes: the shape of every variable in it, by name.
      conv_features: channels of the features.
      state_features: channels of the block state.
      scales: the scales that it has all weights of.
      single_scale_form: whether the last convolution has no folder for its scale, as in a network
        of one scale.
      has_optimizer: whether Adam's state of every weight is there.
      global_step: steps taken; None where that is not saved, as in the reference implementation.
    """

    prefix: str
    shapes: Dict[str, Tuple[int, ...]]
    conv_features: int
    state_features: int
    scales: Tuple[int, ...]
    single_scale_form: bool
    has_optimizer: bool
    global_step: Optional[int]

    @property
    def weights(self) -> List[str]:
        """Names of the weights of the network, in order."""
        return _weights(self.shapes)

    @property
    def optimizer_names(self) -> List[str]:
        """Names of the variables of Adam, as far as they are there, in order."""
        slots = [name + slot for name in self.weights for slot in SLOTS]
        return [name for name in list(POWERS) + slots if name in self.shapes]

    @property
    def is_averaged(self) -> bool:
        """Whether the moving average of every weight is there."""
        return all(name + AVERAGE in self.shapes for name in self.weights)

    def trained(self, weight: str) -> str:
        """The name of what training made of a weight: its moving average, where there is one."""
        return weight + AVERAGE if self.is_averaged else weight

    @property
    def parameters(self) -> int:
        """The number of trainable parameters."""
        return sum(int(np.prod(self.shapes[name])) for name in self.weights)


def describe(prefix: str) -> Description:
    """Reads what the checkpoint at `prefix` (see `resolve`) holds.

    Raises:
      UserError: it holds no BSRN network.
    """
    reader = tf.train.load_checkpoint(prefix)
    shapes = {n: tuple(shape) for n, shape in reader.get_variable_to_shape_map().items()}
    first = shapes.get("generator/first_conv/conv2d/kernel", ())
    block = shapes.get("generator/residual_modules/conv2d/kernel", ())
    single = _LAST_CONV + "conv2d/kernel" in shapes
    upscalers = re.findall(r"^generator/upscale/x(\d+)/conv2d/kernel$", "\n".join(shapes), re.M)
    scales = tuple(
        scale
        for scale in sorted(int(text) for text in upscalers)
        if single or _LAST_CONV + "x%d/conv2d/kernel" % scale in shapes
    )
    if len(first) != 4 or len(block) != 4 or not scales or (single and len(scales) > 1):
        raise UserError(
            "%s holds no BSRN network: among its %d variables are not those of the first "
            "convolution, the recursive block and an upscaler" % (prefix, len(shapes))
        )
    slots = [name + slot for name in _weights(shapes) for slot in SLOTS]
    step = tf.GraphKeys.GLOBAL_STEP
    return Description(
        prefix=prefix,
        shapes=shapes,
        conv_features=first[-1],
        state_features=block[-1] - first[-1],
        scales=scales,
        single_scale_form=single,
        has_optimizer=all(name in shapes for name in slots + list(POWERS)),
        global_step=int(reader.get_tensor(step)) if step in shapes else None,
    )


def _weights(names) -> List[str]:
    """Those of `names` that are weights of the network, in order."""
    beside = SLOTS + (AVERAGE,)
    return sorted(n for n in names if n.startswith("generator/") and not n.endswith(beside))


def config_of(
    prefix: str,
    recursions: Optional[int] = None,
    recursion_frequency: Optional[int] = None,
    base: Optional[Config] = None,
) -> Config:
    """The configuration of the network in a checkpoint.

    Features, state features and scales are read off the shapes. What no shape tells is taken from
    the arguments, else from the configuration saved beside the checkpoint.

    Args:
      prefix: path prefix of the checkpoint (see `resolve`).
      recursions: as `Config.recursions`; None where the user did not say.
      recursion_frequency: as `Config.recursion_frequency`; None where the user did not say.
      base: all that does not describe the network (how to train) is taken from it; by default from
        the saved configuration, else from the defaults. The mean of the colours, which no shape
        tells either, comes from the saved configuration, else from `base`.

    Returns:
      A configuration whose scales are all that the checkpoint has.

    Raises:
      UserError: neither the arguments nor a saved configuration give the recursions, or the saved
        configuration is of another network.
    """
    description = describe(prefix)
    folder = os.path.dirname(prefix)
    saved = Config.load(folder) if os.path.exists(os.path.join(folder, FILE_NAME)) else None
    base = base or saved or Config()
    asked = {"recursions": recursions, "recursion_frequency": recursion_frequency}
    if saved:
        check_fit(description, saved)
        asked = {n: getattr(saved, n) if v is None else v for n, v in asked.items()}
    missing = ["--" + name for name, value in asked.items() if value is None]
    if missing:
        raise UserError(
            "no shape in %s tells its recursions and no %s lies beside it; give %s as it was "
            "trained with" % (prefix, FILE_NAME, " and ".join(missing))
        )
    return dataclasses.replace(
        base,
        scales=description.scales,
        conv_features=description.conv_features,
        state_features=description.state_features,
        rgb_mean=(saved or base).rgb_mean,
        **asked,
    )


def weight_shapes(config: Config) -> Dict[str, Tuple[int, ...]]:
    """The shape of every weight of the network, by name."""
    once = dataclasses.replace(config, recursions=1, recursion_frequency=1)
    with tf.Graph().as_default():
        trunk = bsrn_layers.trunk(tf.zeros([1, 1, 1, 3]), once)
        for scale in config.scales:
            bsrn_layers.outputs_of(trunk, scale, once)
        return {name_of(v): tuple(v.shape.as_list()) for v in tf.trainable_variables("generator/")}


def check_fit(description: Description, config: Config, with_optimizer: bool = False) -> None:
    """Raises UserError, listing what differs, unless the checkpoint serves the network of `config`.

    It may hold more scales than the network has. With `with_optimizer` it also has to hold Adam's
    state.
    """
    lacking = [scale for scale in config.scales if scale not in description.scales]
    faults = ["it has no upscaler for x%d" % scale for scale in lacking]
    for field in ("conv_features", "state_features"):
        found, expected = getattr(description, field), getattr(config, field)
        if found != expected:
            faults.append("its %s are %d, not %d" % (field, found, expected))
    if not faults:
        for name, shape in sorted(weight_shapes(config).items()):
            saved = saved_name(name, config, description)
            found = description.shapes.get(saved)
            if found is None:
                faults.append("it has no %s" % saved)
            elif found != shape:
                faults.append("%s is %s, not %s" % (saved, list(found), list(shape)))
    if faults:
        more = "; and %d more" % (len(faults) - _LISTED) if len(faults) > _LISTED else ""
        raise UserError(
            "%s does not fit the network: %s%s"
            % (description.prefix, "; ".join(faults[:_LISTED]), more)
        )
    if with_optimizer and not description.has_optimizer:
        raise UserError(
            "%s holds no state of Adam to continue with; leave --initial_step out to start from "
            "its weights alone" % description.prefix
        )


def saved_name(name: str, config: Config, description: Description) -> str:
    """The name in the checkpoint of the variable `name` of a network of `config`."""
    if len(config.scales) == 1 and not description.single_scale_form:
        return name.replace(_LAST_CONV, "%sx%d/" % (_LAST_CONV, config.scales[0]))
    return name


def name_of(variable) -> str:
    return variable.name.split(":")[0]
