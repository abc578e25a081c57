"""The families of networks: found by name, and by the shapes in a checkpoint."""

import inspect

import pytest

from bsrn_estimator.networks import families
from bsrn_estimator.networks.base import Network
from bsrn_estimator.networks.bsrn import Bsrn
from tests.support import golden


def test_a_family_is_found_by_its_name():
    assert families.of("bsrn") is Bsrn
    assert families.of("BSRN") is None
    assert families.of("") is None


def test_names_are_different_and_the_default_is_among_them():
    names = [family.family for family in families.FAMILIES]
    assert len(set(names)) == len(names) and "" not in names
    assert families.DEFAULT in families.FAMILIES


@pytest.mark.parametrize("family", families.FAMILIES, ids=lambda family: family.family)
def test_each_offers_all_that_a_network_has_to(family):
    assert issubclass(family, Network) and not inspect.isabstract(family)
    network = family()
    assert network.result in network.result_names()
    assert network.tile > 0 and network.scope.endswith("/")
    assert set(network.untold) <= set(network.to_dict())
    assert all(name.startswith(network.scope) for name in network.weight_shapes())
    told = families.told_by(network.weight_shapes())
    # The generator of a GAN, without its discriminator, is of the family that it is made of.
    assert told is not None and issubclass(family, told[0])
    assert {name: getattr(network, name) for name in told[1]} == told[1]


@pytest.mark.parametrize("name", golden.NAMES)
def test_a_checkpoint_of_the_reference_is_a_bsrn(name):
    reference = golden.Golden(name)
    shapes = {name: tuple(shape) for name, shape in reference.variables.items()}
    family, told = families.told_by(shapes)
    assert family is Bsrn and told["scales"] == reference.network.scales


@pytest.mark.parametrize("shapes", [{}, {"dense/kernel": (3, 2)}, {"generator/": ()}])
def test_other_checkpoints_are_of_no_family(shapes):
    assert families.told_by(shapes) is None
