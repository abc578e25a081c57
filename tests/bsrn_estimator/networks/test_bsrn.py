"""A BSRN as the rest of the program sees it: names, shapes, what a checkpoint tells, cost."""

import numpy as np
import pytest

from bsrn_estimator.compat import tf
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks.bsrn import Bsrn
from bsrn_estimator.networks.choice import OutputChoice
from tests.support import golden

MULTI = golden.Golden("multi_scale")
SINGLE = golden.Golden("single_scale_stateless")


@pytest.mark.parametrize("reference", [MULTI, SINGLE], ids=golden.NAMES)
def test_expects_the_weights_that_the_reference_saves(reference):
    shapes = {name: list(shape) for name, shape in reference.network.weight_shapes().items()}
    weights = {n: s for n, s in reference.variables.items() if n.startswith("generator/")}
    assert shapes == {n: s for n, s in weights.items() if "Adam" not in n}


@pytest.mark.parametrize(
    "scales, count",
    [((2,), 593987), ((3,), 778627), ((4,), 741699), ((2, 3, 4), 1225225)],
)
def test_expects_the_published_number_of_parameters(scales, count):
    shapes = Bsrn(scales=scales).weight_shapes()
    assert sum(int(np.prod(shape)) for shape in shapes.values()) == count


# Outputs.

SIX = Bsrn(scales=(2, 4), conv_features=5, state_features=3, recursions=6, recursion_frequency=2)


def test_names_of_results_and_pictures():
    singles = ("recursion_02", "recursion_04", "recursion_06")
    assert SIX.result_names() == ("ensemble",)
    assert SIX.result_names(singles=True) == ("ensemble",) + singles
    assert SIX.picture_names(OutputChoice()) == ("ensemble",)
    assert SIX.picture_names(OutputChoice("last")) == ("recursion_06",)
    assert SIX.picture_names(OutputChoice("all", first_output=2)) == ("ensemble",) + singles


def test_an_output_that_is_not_there_is_refused():
    with pytest.raises(UserError, match="--first_output must be from 0 to 2, not 3"):
        SIX.picture_names(OutputChoice(first_output=3))
    with tf.Graph().as_default(), pytest.raises(UserError, match="--first_output"):
        SIX.pictures(tf.zeros([1, 3, 5, 3]), 2, OutputChoice(first_output=3))


def test_results_pictures_and_exports_of_the_golden_network():
    """Whole, in bands and as an export: one picture, which the reference implementation made."""
    lr = MULTI.forward["lr"][None]
    ensemble = MULTI.forward["x3/ensemble"]
    last = MULTI.forward["x3/recursion4"]
    with tf.Graph().as_default():
        made = [
            MULTI.network.results(lr, 3, singles=True),
            MULTI.network.pictures(lr, 3, OutputChoice("all")),
            MULTI.network.exported(lr, 3, OutputChoice()),
            MULTI.network.exported(lr, 3, OutputChoice("last")),
        ]
        with MULTI.session() as session:
            results, pictures, exported, exported_last = session.run(made)
    assert tuple(results) == MULTI.network.result_names(singles=True)
    names = MULTI.network.picture_names(OutputChoice("all"))
    assert len(pictures) == len(names)
    for found in (results, dict(zip(names, pictures))):
        for name, expected in (("ensemble", ensemble), ("recursion_04", last)):
            inside = np.clip(found[name][0], 0, 255), np.clip(expected, 0, 255)
            np.testing.assert_allclose(*inside, rtol=0, atol=golden.FORWARD_BOUND)
    for found, expected in ((exported, ensemble), (exported_last, last)):
        assert found.min() >= 0 and found.max() <= 255
        clipped = np.clip(expected, 0, 255)
        np.testing.assert_allclose(found[0], clipped, rtol=0, atol=golden.FORWARD_BOUND)


# What a checkpoint tells.


def _shapes(reference):
    return {name: tuple(shape) for name, shape in reference.variables.items()}


def test_shapes_tell_scales_and_features():
    assert Bsrn.told_by(_shapes(MULTI)) == {
        "scales": (2, 3, 4, 8),
        "conv_features": 16,
        "state_features": 16,
    }
    assert Bsrn.told_by(_shapes(SINGLE)) == {
        "scales": (4,),
        "conv_features": 8,
        "state_features": 0,
    }


def test_a_scale_without_its_last_convolution_is_not_told():
    shapes = _shapes(MULTI)
    del shapes["generator/last_conv/x3/conv2d/kernel"]
    assert Bsrn.told_by(shapes)["scales"] == (2, 4, 8)


@pytest.mark.parametrize(
    "changes",
    [
        {"generator/first_conv/conv2d/kernel": None},
        {"generator/first_conv/conv2d/kernel": (3, 16)},
        {"generator/residual_modules/conv2d/kernel": None},
        {"generator/residual_modules/conv2d/kernel": ()},
        {"generator/upscale/x%d/conv2d/kernel" % scale: None for scale in (2, 3, 4, 8)},
        # Whose last convolution it is, is not told.
        {"generator/last_conv/conv2d/kernel": (3, 3, 16, 3)},
    ],
)
def test_what_is_no_bsrn_tells_nothing(changes):
    shapes = dict(_shapes(MULTI), **changes)
    assert (
        Bsrn.told_by({name: shape for name, shape in shapes.items() if shape is not None}) is None
    )


def test_what_no_shape_tells_is_said_to_people():
    assert set(Bsrn.untold) == {"recursions", "recursion_frequency"}
    assert SIX.untold_lines() == [("recursions", "6"), ("outputs", "one after every 2")]


def test_names_in_a_checkpoint_of_more_scales():
    one, several = _shapes(SINGLE), _shapes(MULTI)
    own, named = "generator/last_conv/conv2d/bias", "generator/last_conv/x4/conv2d/bias"
    assert SINGLE.network.saved_name(own, one) == own
    assert SINGLE.network.saved_name(own, several) == named
    assert SINGLE.network.saved_name(own + "/Adam", several) == named + "/Adam"
    block = "generator/residual_modules/conv2d/kernel"
    assert SINGLE.network.saved_name(block, several) == block
    assert MULTI.network.saved_name(named, several) == named


# What it costs.


@pytest.mark.parametrize(
    "form, upscalers, last", [("all", 3, 3), ("ensemble", 3, 1), ("last", 1, 1)]
)
@pytest.mark.parametrize("scale, stages", [(2, 1), (4, 1 + 4)])
def test_multiply_adds_counted_by_hand(scale, stages, form, upscalers, last):
    # For an LR pixel: the first convolution, six blocks of three, upscalers to 5 * 4 channels in
    # stages on 1 and 4 pixels, and last convolutions on all pixels of the result.
    first, block = 9 * 3 * 5, 3 * 9 * 8 * 8
    upscaler, end = stages * 9 * 5 * (5 * 4), scale**2 * 9 * 5 * 3
    pixel = first + 6 * block + upscalers * upscaler + last * end
    assert SIX.multiply_adds(scale, size=(7 * scale, 3 * scale), form=form) == 21 * pixel


def test_parameters_are_those_of_the_reference():
    for reference in (MULTI, SINGLE):
        shapes = [s for n, s in reference.variables.items() if n.startswith("generator/")]
        adam = [s for n, s in reference.variables.items() if "/Adam" in n]
        count = sum(int(np.prod(shape)) for shape in shapes) - sum(map(int, map(np.prod, adam)))
        assert reference.network.parameters() == count
