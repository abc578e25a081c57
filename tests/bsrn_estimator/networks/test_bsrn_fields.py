"""The hyper-parameters of a BSRN: after which recursions it has outputs, and their weights."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from bsrn_estimator.networks.bsrn import Bsrn


@hypothesis.given(frequency=st.integers(1, 5), outputs=st.integers(1, 20))
def test_outputs_are_every_so_many_recursions_and_weigh_double_each(frequency, outputs):
    config = Bsrn(recursion_frequency=frequency, recursions=frequency * outputs)
    outputs, weights = config.output_recursions, config.output_weights
    assert outputs[-1] == config.recursions
    assert len(outputs) * config.recursion_frequency == config.recursions
    assert sum(weights) == pytest.approx(1)
    ratios = np.array(weights[1:]) / weights[:-1]
    np.testing.assert_allclose(ratios, 2.0**config.recursion_frequency)


def test_output_weights_of_three():
    config = Bsrn(recursions=6, recursion_frequency=2)
    assert config.output_recursions == (2, 4, 6)
    assert config.output_weights == pytest.approx((1 / 21, 4 / 21, 16 / 21))
