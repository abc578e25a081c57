"""The options of a conversion: what is filled in, and what is refused."""

import pytest

from bsrn_estimator.errors import UserError
from data_tools.options import ConversionOptions


def test_tiles_by_default():
    options = ConversionOptions("folder", "in", "out").complete()
    assert (options.tile_size, options.overlap, options.kind) == (480, 192, "training")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"dataset": "cifar"}, "--dataset takes div2k or"),
        ({"input_dir": None}, "--input_dir is needed"),
        ({"scales": ()}, "not nothing"),
        ({"scales": (3, 2)}, "ascending order, not 3,2"),
        ({"scales": (5,)}, "of 2, 3, 4, 8"),
        ({"kind": "both"}, "--kind takes training or evaluation"),
        ({"split": "all"}, "--split takes train or valid or test, not all"),
        ({"stretch": "hr"}, "--stretch takes lr or both, not hr"),
        ({"encoding": "jpeg"}, "--encoding takes png or raw"),
        ({"patch_size": 0}, "--patch_size must be at least 1"),
        ({"workers": -1}, "--workers must be at least 0"),
        ({"workers": 1000}, "--workers must be at most 256"),
        ({"tile_size": 490}, "multiple of 12, .*; take 492"),
        ({"tile_size": 192}, "at least 204, better 480"),
        ({"tile_size": -12}, "too small"),
    ],
)
def test_options_out_of_range(change, message):
    with pytest.raises(UserError, match=message):
        ConversionOptions(**dict(dict(dataset="folder", input_dir="in"), **change)).complete()


def test_defaults_by_dataset():
    def of(dataset, **changes):
        options = ConversionOptions(dataset, "pictures/Set5/", **changes).complete()
        return options.split, options.kind, options.output_dir

    assert of("div2k") == ("train", "training", "tfrecords/div2k_train")
    assert of("div2k", split="valid") == ("valid", "evaluation", "tfrecords/div2k_valid")
    assert of("bsd100") == ("test", "evaluation", "tfrecords/bsd100")
    assert of("benchmark") == ("test", "evaluation", "tfrecords/Set5")
    # The folder that says HR does not say which set it is.
    inner = ConversionOptions("folder", "pictures/Set5/HR", kind="evaluation").complete()
    assert inner.output_dir == "tfrecords/Set5"
    assert of("folder", split="test") == ("test", "training", "tfrecords/Set5")
    assert of("usr248") == ("train", "training", "tfrecords/usr248_train")
    assert of("usr248", split="test") == ("test", "evaluation", "tfrecords/usr248_test")
    assert of("tfds", output_dir="o") == ("train", "training", "o")
    whole = ConversionOptions("bsd100", "in", patch_size=48).complete()
    assert (whole.tile_size, whole.overlap, whole.patch_size) == (0, 0, 0)
