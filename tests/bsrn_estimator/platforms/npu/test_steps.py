"""Steps in loops on the device: what fits, and which numbers a refusal offers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsrn_estimator.errors import UserError
from bsrn_estimator.platforms.npu import steps as npu_steps


def test_what_fits_passes():
    npu_steps.check_loop(1, 7, 1000003, 999)
    npu_steps.check_loop(100, 200, 1000000, 1000)
    npu_steps.check_loop(5, 12, 12, 10)


def test_refusals_say_what_would_fit():
    with pytest.raises(UserError, match=r"--train_steps=10 or 15 or --iterations_per_loop=4 or 6"):
        npu_steps.check_loop(5, 0, 12, 10)
    with pytest.raises(UserError, match="from step 7, where training resumes"):
        npu_steps.check_loop(5, 7, 20, 10)
    with pytest.raises(UserError, match="--save_checkpoints_steps=10$"):
        npu_steps.check_loop(5, 0, 20, 7)
    with pytest.raises(UserError, match="--train_steps=8 or --iterations_per_loop=3"):
        npu_steps.check_loop(8, 0, 3, 8)


@given(st.integers(1, 60), st.integers(0, 50), st.integers(1, 200), st.integers(1, 100))
def test_what_a_refusal_offers_fits(loop, start, length, save):
    end = start + length
    try:
        npu_steps.check_loop(loop, start, end, save)
    except UserError as refused:
        said = str(refused).split("give ")[1]
        offers = re.findall(r"--(\w+)=((?:\d+ or )*\d+)", said)
        assert offers
        for name, numbers in offers:
            for number in map(int, numbers.split(" or ")):
                if name == "train_steps":
                    assert (number - start) % loop == 0 and number > start
                elif name == "iterations_per_loop":
                    assert length % number == 0
                else:
                    assert number % loop == 0 and number >= save
    else:
        assert length % loop == 0 and save % loop == 0
