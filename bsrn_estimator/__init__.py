"""BSRN, the Block State-based Recursive Network for super-resolution, on tf.estimator."""

import importlib
from typing import Any, Dict, List

__version__ = "0.1.0"

# The names that programs use, and the modules that they live in. These are imported when a name is
# first used: to import the package itself costs nothing, and needs neither TensorFlow nor numpy.
_HOMES: Dict[str, str] = {
    "RunFailed": "bsrn_estimator.errors",
    "Upscaler": "bsrn_estimator.api.upscaler",
    "UserError": "bsrn_estimator.errors",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted(set(globals()) | set(_HOMES))
