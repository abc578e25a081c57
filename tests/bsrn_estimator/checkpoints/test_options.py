"""Which trained network is used, and which of its outputs."""

import pytest
from absl import flags

from bsrn_estimator.checkpoints.options import UseOptions
from bsrn_estimator.errors import UserError
from bsrn_estimator.networks.choice import OutputChoice


def _from(*arguments, **others):
    values = flags.FlagValues()
    list(UseOptions.define_flags(values, ("predict",)))
    values(["command"] + list(arguments))
    return UseOptions.from_flags(values, **others)


def test_flags_say_the_outputs_and_the_room_above_the_network():
    assert _from() == UseOptions()
    made = _from("--output=last", "--first_output=3", "--overwrite", checkpoint="a", scales=(2, 4))
    assert made == UseOptions("last", 3, checkpoint="a", scales=(2, 4), overwrite=True)
    assert made.choice == OutputChoice("last", 3) and type(made.choice) is OutputChoice


def test_the_network_is_no_flag_of_this_room():
    values = flags.FlagValues()
    defined = [flag.name for flag in UseOptions.define_flags(values, ("predict",))]
    assert defined == ["output", "first_output", "overwrite"]


def test_a_folder_with_nothing_in_it_is_no_run(tmp_path):
    options = UseOptions(model_dir=str(tmp_path))
    assert options.named is None
    assert UseOptions(model_dir=str(tmp_path / "missing")).named is None
    assert UseOptions(model_dir=None).named is None
    (tmp_path / "config.json").write_text("{}")
    assert options.named == str(tmp_path)
    assert options.replace(checkpoint="pretrained").named == "pretrained"


@pytest.mark.parametrize(
    "values, sentence",
    [
        ({"output": "both"}, "--output takes ensemble or last or all"),
        ({"first_output": -1}, "--first_output must be at least 0"),
    ],
)
def test_an_output_that_no_network_has(values, sentence):
    with pytest.raises(UserError, match=sentence):
        UseOptions(**values)
