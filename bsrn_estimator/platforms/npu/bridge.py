"""The one door to npu_bridge, which comes with CANN and is imported only when it is asked for.

Symbols are taken from the sub-modules: `npu_bridge.npu_init` would, in later builds, put every
session of the process on the NPU, those that decode pictures included.
"""

import importlib
import inspect
from typing import Any, Callable

from bsrn_estimator.errors import UserError

_MODULES = {
    "NPURunConfig": "npu_config",
    "ProfilingConfig": "npu_config",
    "DumpConfig": "npu_config",
    "NPUEstimator": "npu_estimator",
    "NPUDistributedOptimizer": "npu_optimizer",
    "NPULossScaleOptimizer": "npu_loss_scale_optimizer",
    "FixedLossScaleManager": "npu_loss_scale_manager",
    "ExponentialUpdateLossScaleManager": "npu_loss_scale_manager",
    "keep_dtype_scope": "npu_scope",
}


def symbol(name: str) -> Any:
    """A class or function of npu_bridge.

    Raises:
      UserError: npu_bridge is not installed, its native part does not load, or this build has no
        such symbol.
    """
    module = "npu_bridge.estimator.npu." + _MODULES[name]
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing == "tensorflow":
            raise UserError(
                "npu_bridge needs TensorFlow 1.15 on Python 3.7, not this one"
            ) from None
        if missing != "npu_bridge":
            raise UserError(
                "npu_bridge is installed and the package %s, which it needs, is not found; source "
                "set_env.sh of CANN as a whole in this shell, for it names the folder of that "
                "package too" % missing
            ) from None
        from bsrn_estimator.compat import TF2  # flags are defined without TensorFlow

        runtime = " and needs TensorFlow 1.15 on Python 3.7" if TF2 else ""
        raise UserError(
            "--use_npu needs npu_bridge, which is not installed; it comes with CANN (the tfplugin "
            "package)%s; without an Ascend NPU train with --device=cpu or --device=gpu" % runtime
        ) from None
    except ImportError as error:
        raise UserError(
            "npu_bridge is installed but does not load (%s); source set_env.sh of CANN in this "
            "shell, and use the CANN release that fits the driver" % error
        ) from None
    except AttributeError:
        raise UserError(
            "this build of npu_bridge has no %s; use one of 2021 or later" % name
        ) from None


def accepts(callable_: Callable, name: str) -> bool:
    """Whether a constructor or function takes an argument called `name`; builds differ."""
    if inspect.isclass(callable_):
        callable_ = callable_.__init__
    return name in inspect.signature(callable_).parameters
