"""The configuration of a run: what its network is and how it is trained, as one JSON file."""

import os
from typing import Any, Dict, NamedTuple, Optional

from bsrn_estimator import files
from bsrn_estimator.config import Recipe, checked_fields
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks import families
from bsrn_estimator.networks.base import Network

FILE_NAME = "config.json"
# What the file may say beside, of a checkpoint that is in its folder and does not.
_STEP = "global_step"


class Config(NamedTuple):
    """A network and the recipe that it is trained with, the two parts of config.json.

    Attributes:
      network: fixes names and shapes of the weights; what a checkpoint is asked for.
      recipe: how they are trained.
    """

    network: Network = families.DEFAULT()
    recipe: Recipe = Recipe()

    def to_dict(self) -> Dict[str, Any]:
        """All fields of both, the network's first, and the family where it is not the default."""
        named = {}
        if type(self.network) is not families.DEFAULT:
            named[families.FIELD] = self.network.family
        return dict(named, **self.network.to_dict(), **self.recipe.to_dict())

    @classmethod
    def from_dict(cls, values: Dict[str, Any], source: str = "the configuration") -> "Config":
        """The configuration of `values`; absent fields take their defaults.

        Raises:
          UserError: a field has no meaning here (the nearest right name is given), or a value is
            of the wrong type or out of range. `source` names the file in the message.
        """
        values = dict(values)
        values.pop(_STEP, None)
        name = values.pop(families.FIELD, families.DEFAULT.family)
        family = families.of(name)
        if family is None:
            raise UserError(
                "%s is of a network called %r, which this version does not know" % (source, name)
            )
        checked_fields((family, Recipe), values, source)
        recipe = {name: values.pop(name) for name in Recipe().to_dict() if name in values}
        return cls(family(**values), Recipe(**recipe))

    def save(self, folder: str) -> str:
        """Writes `folder`/config.json, whole or not at all, and returns its path."""
        path = os.path.join(folder, FILE_NAME)
        os.makedirs(folder, exist_ok=True)
        files.write_json(path, self.to_dict())
        return path

    @classmethod
    def load(cls, folder: str) -> "Config":
        """The configuration saved in `folder`.

        Raises:
          UserError: there is none, or it is not one.
        """
        path = os.path.join(folder, FILE_NAME)
        values = files.read_json(
            path, "%s has no %s; name a folder that training wrote" % (folder, FILE_NAME)
        )
        if not isinstance(values, dict):
            raise UserError("%s does not hold a configuration" % path)
        return cls.from_dict(values, source=path)


def exists(folder: str) -> bool:
    """Whether a configuration is saved in `folder`."""
    return os.path.exists(os.path.join(folder, FILE_NAME))


def step_in(folder: str) -> Optional[int]:
    """The steps that the checkpoint in `folder` took, by the configuration beside it.

    Returns:
      None where there is no configuration, or it does not say.

    Raises:
      UserError: it cannot be read, or says something else than a number of steps.
    """
    if not exists(folder):
        return None
    path = os.path.join(folder, FILE_NAME)
    values = files.read_json(path)
    step = values.get(_STEP) if isinstance(values, dict) else None
    if step is not None and (type(step) is not int or step < 0):
        raise UserError("%s: %s is a number of steps, not %r" % (path, _STEP, step))
    return step
