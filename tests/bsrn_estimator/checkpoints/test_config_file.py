"""The configuration: what it accepts, what it says, and that a file gives back what was saved."""

import dataclasses
import json
import os

import hypothesis
import pytest
from hypothesis import strategies as st

from bsrn_estimator.checkpoints.config_file import Config
from bsrn_estimator.config import DEGRADATIONS, SCALE_SCHEDULES, Recipe
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks.bsrn import Bsrn
from bsrn_estimator.scales import SUPPORTED
from tests.support import tiny

_FRACTIONS = st.floats(1e-9, 1.0, allow_nan=False)

CONFIGS = st.builds(
    lambda scales, frequency, outputs, **values: tiny.config(
        scales=tuple(sorted(scales)),
        recursion_frequency=frequency,
        recursions=frequency * outputs,
        **values,
    ),
    scales=st.sets(st.sampled_from(SUPPORTED), min_size=1),
    frequency=st.integers(1, 5),
    outputs=st.integers(1, 20),
    conv_features=st.integers(1, 200),
    state_features=st.integers(0, 200),
    rgb_mean=st.tuples(*[st.floats(0, 255)] * 3),
    scale_schedule=st.sampled_from(SCALE_SCHEDULES),
    batch_size=st.integers(1, 99),
    patch_size=st.integers(1, 300),
    learning_rate=_FRACTIONS,
    learning_rate_decay=_FRACTIONS,
    learning_rate_decay_steps=st.integers(1, 10**7),
    clip_norm=st.floats(0, 1e6),
    adam_epsilon=_FRACTIONS,
    seed=st.integers(0, 2**31),
    degradations=st.sets(st.sampled_from(DEGRADATIONS)).map(tuple),
    jpeg_quality=st.tuples(st.integers(1, 50), st.integers(50, 100)),
    noise_sigma=st.tuples(st.floats(0, 5), st.floats(5, 50)),
    blur_share=st.floats(0, 1),
)


def test_defaults_are_the_recipe_of_the_paper():
    network, config = Config()
    assert (network.conv_features, network.state_features) == (64, 64)
    assert (network.recursions, network.recursion_frequency) == (16, 1)
    assert (config.learning_rate, config.learning_rate_decay) == (1e-4, 0.5)
    assert (config.learning_rate_decay_steps, config.clip_norm) == (200000, 5)
    assert (config.batch_size, config.patch_size) == (8, 48)
    assert network.rgb_mean == (127.5, 127.5, 127.5)


@hypothesis.given(CONFIGS)
def test_a_file_gives_back_what_was_saved(tmp_path_factory, config):
    folder = str(tmp_path_factory.mktemp("model") / "new")
    path = config.save(folder)
    assert Config.load(folder) == config
    assert os.listdir(folder) == [os.path.basename(path)]
    assert list(json.load(open(path))) == [
        field.name for cls in (Bsrn, Recipe) for field in dataclasses.fields(cls)
    ]


@pytest.mark.parametrize(
    "values, sentence",
    [
        ({"scales": (2, 5)}, "--scales takes different ones of 2, 3, 4, 8"),
        ({"scales": (4, 2)}, "ascending order, not 4,2"),
        ({"scales": (2, 2)}, "not 2,2"),
        ({"scales": ()}, "not nothing"),
        ({"rgb_mean": (1.0, 2.0)}, "rgb_mean takes three values, not 2"),
        ({"conv_features": 0}, "--conv_features must be at least 1, not 0"),
        ({"state_features": -1}, "--state_features must be at least 0"),
        ({"recursions": 0}, "--recursions must be at least 1"),
        ({"recursion_frequency": 0}, "--recursion_frequency must be at least 1"),
        ({"recursion_frequency": 3}, "--recursions=16 must be a multiple of"),
        ({"batch_size": 0}, "--batch_size"),
        ({"patch_size": 0}, "--patch_size"),
        ({"scale_schedule": "all"}, "--scale_schedule takes random or joint, not all"),
        ({"learning_rate": 0}, "--learning_rate must be above 0"),
        ({"learning_rate": float("nan")}, "--learning_rate must be above 0"),
        ({"learning_rate_decay": 1.5}, "--learning_rate_decay must be above 0 and at most 1"),
        ({"learning_rate_decay_steps": 0}, "--learning_rate_decay_steps"),
        ({"clip_norm": -1}, "--clip_norm must be at least 0"),
        ({"adam_epsilon": 0}, "--adam_epsilon must be above 0"),
        ({"seed": -1}, "--seed must be at least 0"),
        (
            {"degradations": ("jpeg", "haze")},
            "--degradations takes any of jpeg,noise,blur, or nothing, not jpeg,haze",
        ),
        (
            {"jpeg_quality": (30, 101)},
            "--jpeg_quality takes two numbers of 1 to 100, the lower one first, not 30,101",
        ),
        ({"jpeg_quality": (40, 30)}, "the lower one first, not 40,30"),
        ({"jpeg_quality": (30,)}, "--jpeg_quality takes two whole numbers, as in 1,2, not 30"),
        ({"noise_sigma": ()}, "--noise_sigma takes two numbers, as in 1,2, not nothing"),
        ({"noise_sigma": (0, float("nan"))}, "--noise_sigma takes two numbers of 0 to 50"),
        ({"blur_sigma": (0, 1)}, "--blur_sigma takes two numbers of 0.1 to 4"),
        ({"jpeg_share": 1.5}, "--jpeg_share must be at most 1, not 1.5"),
        ({"noise_share": -1}, "--noise_share must be at least 0, not -1"),
    ],
)
def test_values_out_of_range_are_refused(values, sentence):
    with pytest.raises(UserError) as caught:
        tiny.config(**values)
    assert sentence in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name, nearest",
    [("recursion", "recursions"), ("conv_feature", "conv_features"), ("clipnorm", "clip_norm")],
)
def test_unknown_field_is_named_with_the_nearest(name, nearest):
    with pytest.raises(UserError) as caught:
        Config.from_dict({name: 1}, source="my.json")
    sentence = "my.json has an unknown field %s; did you mean %s?" % (name, nearest)
    assert str(caught.value) == sentence


def test_unknown_field_without_a_near_one():
    with pytest.raises(UserError, match="unknown field zzz$"):
        Config.from_dict({"zzz": 1})


@pytest.mark.parametrize(
    "values",
    [
        {"recursions": "16"},
        {"recursions": 16.0},
        {"recursions": True},
        {"scales": 4},
        {"scales": "24"},
        {"scales": [2.0]},
        {"learning_rate": None},
        {"rgb_mean": [1, 2, "3"]},
        {"scale_schedule": 1},
        {"degradations": "jpeg"},
        {"degradations": [1]},
        {"jpeg_quality": ["30", "95"]},
        {"noise_sigma": 3},
    ],
)
def test_values_of_a_wrong_type_are_refused(values):
    (name,) = values
    with pytest.raises(UserError, match="file.json: %s cannot be" % name):
        Config.from_dict(values, source="file.json")


def test_absent_fields_take_their_defaults_and_lists_become_tuples():
    config = Config.from_dict({"scales": [4], "rgb_mean": [0, 1, 2], "clip_norm": 1})
    assert config == Config(Bsrn(scales=(4,), rgb_mean=(0.0, 1.0, 2.0)), Recipe(clip_norm=1))
    assert hash(config) == hash(
        Config(Bsrn(scales=(4,), rgb_mean=(0.0, 1.0, 2.0)), Recipe(clip_norm=1))
    )


def test_degradations_come_in_one_order_and_old_files_have_none():
    one, other = Recipe(degradations=["jpeg", "blur"]), Recipe(degradations=("blur", "jpeg"))
    assert one == other and one.degradations == ("blur", "jpeg")
    old = {
        name: value
        for name, value in Config().to_dict().items()
        if not name.startswith(("degradations", "jpeg", "noise", "blur"))
    }
    assert Config.from_dict(old).recipe.degradations == ()


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().network.recursions = 3
    with pytest.raises(dataclasses.FrozenInstanceError):
        Config().recipe.seed = 3


def test_a_family_that_this_version_does_not_know_is_refused():
    with pytest.raises(UserError, match="a.json is of a network called 'gan'"):
        Config.from_dict({"network": "gan"}, source="a.json")
    assert Config.from_dict({"network": "bsrn", "seed": 3}).recipe.seed == 3


@pytest.mark.parametrize(
    "text, sentence",
    [
        (None, "has no config.json"),
        ("{", "cannot be read"),
        ("[1]", "does not hold a configuration"),
        ('{"recursions": 0}', "--recursions must be at least 1"),
        ("\udcff", "cannot be read"),
    ],
)
def test_file_that_is_no_configuration(tmp_path, text, sentence):
    if text is not None:
        (tmp_path / "config.json").write_bytes(text.encode("utf8", "surrogateescape"))
    with pytest.raises(UserError) as caught:
        Config.load(str(tmp_path))
    assert sentence in str(caught.value)
