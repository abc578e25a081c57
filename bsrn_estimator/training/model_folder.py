"""The model folder of a training run: who holds it, and what it was trained with."""

import fcntl
import os
from typing import Any, Dict, List

from bsrn_estimator import files
from bsrn_estimator.checkpoints import config_file
from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.data import manifest
from bsrn_estimator.errors import UserError

LOCK_NAME = ".lock"
# The folder in it for what belongs to a divergence.
DIVERGED = "diverged"

# What a run may change when it goes on; all else decides what the weights are or mean.
CHANGEABLE = (
    "batch_size",
    "accumulate",
    "learning_rate",
    "learning_rate_schedule",
    "learning_rate_decay",
    "learning_rate_decay_steps",
    "warmup_steps",
    "block_rate",
)


class RunFolder:
    """Holds a model folder for one training run while it is entered.

    The lock is the operating system's, on an open file, so it ends with the process that holds it,
    however that ends.

    Args:
      path: the folder; made where it is missing.

    Raises:
      UserError: on entering, if the folder cannot be written or another run holds it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock: Any = None  # the file, once entered

    def __enter__(self) -> "RunFolder":
        if os.path.exists(os.path.join(self.path, manifest.FILE_NAME)):
            raise UserError(
                "--model_dir=%s is a folder of records; name another folder for what training "
                "writes" % self.path
            )
        files.make_folder(self.path, "--model_dir=%s" % self.path)
        try:
            self._lock = open(os.path.join(self.path, LOCK_NAME), "a+")
        except OSError as error:
            raise UserError(
                "--model_dir=%s cannot be written (%s); name another folder"
                % (self.path, error.strerror)
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise UserError(
                "--model_dir=%s is in use by another training run; wait for it, stop it, or name "
                "another folder" % self.path
            ) from None
        return self

    def __exit__(self, *_) -> None:
        self._lock.close()

    def check(self, config: Config, allow_change: bool = False) -> None:
        """Compares `config` with what the folder was trained with, if it was.

        Args:
          config: the hyper-parameters of this run.
          allow_change: permits other values of the fields in `CHANGEABLE`.

        Raises:
          UserError: hyper-parameters differ; the sentence lists them.
        """
        if not config_file.exists(self.path):
            return
        saved = Config.load(self.path)
        differing = differences(saved, config)
        fixed = [name for name in differing if not (allow_change and name in CHANGEABLE)]
        if fixed:
            raise UserError(_refusal(self.path, fixed, saved.to_dict(), config.to_dict()))


def differences(saved: Config, config: Config) -> List[str]:
    """Names of the fields in which two configurations differ."""
    before, now = saved.to_dict(), config.to_dict()
    return [name for name in now if before.get(name) != now[name]]


def _refusal(path: str, names: List[str], before: Dict, now: Dict) -> str:
    listed = "; ".join("%s was %s, now %s" % (name, before.get(name), now[name]) for name in names)
    hint = ""
    if all(name in CHANGEABLE for name in names):
        hint = ", or add --allow_change"
    return (
        "--model_dir=%s was trained with other hyper-parameters (%s); give the same, or name "
        "another folder%s" % (path, listed, hint)
    )
