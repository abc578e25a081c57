"""What follows from the scale of an SRDRM."""

import pytest

from bsrn_estimator.networks.srdrm import Srdrm


@pytest.mark.parametrize("scale, blocks", [(2, 1), (4, 2), (8, 3)])
def test_a_block_for_each_doubling(scale, blocks):
    network = Srdrm(scales=(scale,))
    assert (network.scale, network.blocks) == (scale, blocks)
