"""What the classes of the generated package do and refuse, as the real ones were seen to.

Each behaviour takes the arguments of the generated constructor as one dictionary.
"""

from npu_bridge.behaviour import config, estimator, hooks, optimizers
from npu_bridge.behaviour.optimizers import keep_dtype_scope

__all__ = ["keep_dtype_scope", "of"]


class NotSimulated:
    """Stands for a class of which only the signature is known here."""

    def __init__(self, arguments):
        raise NotImplementedError("%s is not part of the test double" % type(self).__name__)


def of(name):
    """The behaviour of the class `name`."""
    for module in (config, hooks, optimizers, estimator):
        if hasattr(module, name):
            return getattr(module, name)
    return NotSimulated
