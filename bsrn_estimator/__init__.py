"""BSRN, the Block State-based Recursive Network for super-resolution, on tf.estimator."""

import importlib
from typing import Any, Dict, List

__version__ = "0.1.0"

# The names that programs use, and the modules that they live in. These are imported when a name is
# first used: to import the package itself costs nothing, and needs neither TensorFlow nor numpy.
_HOMES: Dict[str, str] = {
    "Bsrn": "bsrn_estimator.networks.bsrn",
    "ConversionOptions": "data_tools.options",
    "DeviceOptions": "bsrn_estimator.platforms.options",
    "Evaluated": "bsrn_estimator.api.pipeline",
    "EvaluationOptions": "bsrn_estimator.evaluation.options",
    "ExportOptions": "bsrn_estimator.export.options",
    "Recipe": "bsrn_estimator.config",
    "RunFailed": "bsrn_estimator.errors",
    "RunOptions": "bsrn_estimator.platforms.options",
    "Srdrm": "bsrn_estimator.networks.srdrm",
    "SrdrmGan": "bsrn_estimator.networks.srdrm_gan",
    "Trained": "bsrn_estimator.api.pipeline",
    "TrainingOptions": "bsrn_estimator.training.options",
    "Upscaler": "bsrn_estimator.api.upscaler",
    "UserError": "bsrn_estimator.errors",
    "build_estimator": "bsrn_estimator.api.estimators",
    "build_model_fn": "bsrn_estimator.api.estimators",
    "convert": "bsrn_estimator.api.pipeline",
    "evaluate": "bsrn_estimator.api.pipeline",
    "evaluation_input_fn": "bsrn_estimator.data.input_fn",
    "export_network": "bsrn_estimator.api.pipeline",
    "imresize": "bsrn_estimator.api.measures",
    "psnr": "bsrn_estimator.api.measures",
    "ssim": "bsrn_estimator.api.measures",
    "train": "bsrn_estimator.api.pipeline",
    "training_input_fn": "bsrn_estimator.data.input_fn",
    "uiqm": "bsrn_estimator.api.measures",
}


# docs/api.md says what is promised of them.
__all__ = ["__version__"] + sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError("module %r has no attribute %r" % (__name__, name))
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> List[str]:
    return sorted(set(globals()) | set(_HOMES))
