"""The families of networks that there are, and which one is meant."""

from typing import Any, Dict, Optional, Sequence, Tuple, Type

from bsrn_estimator.networks.base import Network, Shapes
from bsrn_estimator.networks.bsrn import Bsrn
from bsrn_estimator.networks.srdrm import Srdrm
from bsrn_estimator.networks.srdrm_gan import SrdrmGan

FAMILIES: Tuple[Type[Network], ...] = (Bsrn, Srdrm, SrdrmGan)
DEFAULT = Bsrn

# The field of a saved configuration that names the family. Left out, it means the default: so did
# all configurations that were written when there was one family.
FIELD = "network"


def of(name: str) -> Optional[Type[Network]]:
    """The family of that name, or None."""
    return next((family for family in FAMILIES if family.family == name), None)


def other_defaults(field: str) -> Dict[str, Any]:
    """The families in which a field of the network or the recipe has another default than in that
    of `DEFAULT`, and which."""
    usual = DEFAULT().to_dict()
    found = {}
    for family in FAMILIES:
        fields = family().to_dict()
        differing = {
            name: fields[name] for name in usual if fields.get(name, usual[name]) != usual[name]
        }
        differing.update(family.recipe)
        if field in differing:
            found[family.family] = differing[field]
    return found


def of_keras(kernels: Sequence[Tuple[int, ...]]) -> Optional[Network]:
    """The network whose weights a file of Keras with these kernels may hold, or None."""
    found = (family.of_keras(kernels) for family in FAMILIES)
    return next((network for network in found if network), None)


def told_by(shapes: Shapes) -> Optional[Tuple[Type[Network], Dict[str, Any]]]:
    """The family whose weights a checkpoint holds, and the fields that its shapes tell, or None."""
    # A later family may be an earlier one with more to it.
    for family in reversed(FAMILIES):
        fields = family.told_by(shapes)
        if fields is not None:
            return family, fields
    return None
