"""`tf.estimator` under a TensorFlow that has none.

TensorFlow dropped `tf.estimator` with 2.16, and with it all that knew of the package
tensorflow-estimator. The package itself, pure Python, still works on what TensorFlow has: but its
own `__init__` imports the parts for TPUs and the canned estimators, which no longer do; its
decorators ask TensorFlow for a list of names that is gone; and a module of TensorFlow that it
calls for clusters is gone. Here its four modules that matter are imported past the first, with
stand-ins for the other two. `tests/bsrn_estimator/test_estimator_adapter.py` checks each thing
that this relies on.

It can go when this project trains without `tf.estimator`, or when a tensorflow-estimator appears
that a TensorFlow from 2.16 on imports by itself. `bsrn_estimator.compat` alone uses it.
"""

import importlib
import importlib.util
import sys
import types

from bsrn_estimator.errors import UserError

PACKAGE = "tensorflow_estimator"
VERSION = "2.15.0"
TENSORFLOW = "2.21.0"  # what it is tested with
COORDINATION = "tensorflow.python.distribute.estimator_training"

# What `tf.estimator` then has, and the module of the package that each comes from.
NAMES = {
    "Estimator": "estimator",
    "EstimatorSpec": "model_fn",
    "ModeKeys": "mode_keys",
    "RunConfig": "run_config",
}


def provide(tf: types.ModuleType) -> None:
    """Gives `tf` an attribute `estimator` where it has none.

    Args:
      tf: the module `tensorflow.compat.v1`.

    Raises:
      UserError: tensorflow-estimator is not installed, or does not fit this TensorFlow.
    """
    if hasattr(tf, "estimator"):
        return
    remedy = "pip install --no-deps tensorflow-estimator==%s" % VERSION
    if importlib.util.find_spec(PACKAGE) is None:
        raise UserError(
            "TensorFlow %s has no tf.estimator of its own, and the package that has it is not "
            "installed: %s" % (tf.__version__, remedy)
        )
    try:
        _list_names()
        _stand_in_for_coordination()
        setattr(tf, "estimator", _import())  # noqa: B010 mypy knows no such attribute
    except Exception as error:
        # Whatever it is: what was relied on is not there any more.
        raise UserError(
            "TensorFlow %s does not work with tensorflow-estimator %s (%s: %s); use what is "
            "tested together: pip install tensorflow==%s, then %s"
            % (tf.__version__, VERSION, type(error).__name__, error, TENSORFLOW, remedy)
        ) from error


def _list_names() -> None:
    """Brings back the list of names under which the package says what it exports."""
    from tensorflow.python.util import tf_export

    if hasattr(tf_export, "ESTIMATOR_API_NAME"):
        return
    tf_export.ESTIMATOR_API_NAME = "estimator"
    for table, ending in ((tf_export.API_ATTRS, ""), (tf_export.API_ATTRS_V1, "_v1")):
        attributes = type(table[tf_export.TENSORFLOW_API_NAME])
        table["estimator"] = attributes(
            "_estimator_api_names" + ending, "_estimator_api_constants" + ending
        )


def _stand_in_for_coordination() -> None:
    """Stands in for the module that ran `train_and_evaluate` on clusters.

    A RunConfig reads its cluster from TF_CONFIG as it does without a strategy, and no Estimator
    starts servers by itself.
    """
    parent, _, name = COORDINATION.rpartition(".")
    if importlib.util.find_spec(COORDINATION) is not None:
        return

    def init_run_config(config, tf_config) -> None:
        config._distribute_coordinator_mode = None
        config._init_distributed_setting_from_environment_var(tf_config)

    def should_run_distribute_coordinator(config) -> bool:
        return False

    module = types.ModuleType(COORDINATION, _stand_in_for_coordination.__doc__)
    for function in (init_run_config, should_run_distribute_coordinator):
        setattr(module, function.__name__, function)
    sys.modules[COORDINATION] = module
    setattr(importlib.import_module(parent), name, module)


def _import() -> types.ModuleType:
    """The namespace `tf.estimator`, of the package without its own `__init__`."""
    if PACKAGE not in sys.modules:
        # Known by its folder, and not run.
        spec = importlib.util.find_spec(PACKAGE)
        assert spec is not None, PACKAGE  # `provide` has looked
        sys.modules[PACKAGE] = importlib.util.module_from_spec(spec)
    namespace = types.ModuleType("tensorflow.compat.v1.estimator", "See " + __name__)
    for name, source in NAMES.items():
        module = importlib.import_module("%s.python.estimator.%s" % (PACKAGE, source))
        setattr(namespace, name, getattr(module, name))
    return namespace
