"""The names of the package for type checkers, which do not see that they are imported late."""

from bsrn_estimator.api.estimators import build_estimator as build_estimator
from bsrn_estimator.api.estimators import build_model_fn as build_model_fn
from bsrn_estimator.api.measures import imresize as imresize
from bsrn_estimator.api.measures import psnr as psnr
from bsrn_estimator.api.measures import ssim as ssim
from bsrn_estimator.api.measures import uiqm as uiqm
from bsrn_estimator.api.pipeline import Evaluated as Evaluated
from bsrn_estimator.api.pipeline import Trained as Trained
from bsrn_estimator.api.pipeline import convert as convert
from bsrn_estimator.api.pipeline import evaluate as evaluate
from bsrn_estimator.api.pipeline import export_network as export_network
from bsrn_estimator.api.pipeline import train as train
from bsrn_estimator.api.upscaler import Upscaler as Upscaler
from bsrn_estimator.config import Recipe as Recipe
from bsrn_estimator.data.input_fn import evaluation_input_fn as evaluation_input_fn
from bsrn_estimator.data.input_fn import training_input_fn as training_input_fn
from bsrn_estimator.errors import RunFailed as RunFailed
from bsrn_estimator.errors import UserError as UserError
from bsrn_estimator.evaluation.options import EvaluationOptions as EvaluationOptions
from bsrn_estimator.export.options import ExportOptions as ExportOptions
from bsrn_estimator.networks.bsrn import Bsrn as Bsrn
from bsrn_estimator.networks.srdrm import Srdrm as Srdrm
from bsrn_estimator.networks.srdrm_gan import SrdrmGan as SrdrmGan
from bsrn_estimator.platforms.options import DeviceOptions as DeviceOptions
from bsrn_estimator.platforms.options import RunOptions as RunOptions
from bsrn_estimator.training.options import TrainingOptions as TrainingOptions
from data_tools.options import ConversionOptions as ConversionOptions

__version__: str
