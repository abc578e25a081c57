"""Settings declared once: default, bounds, help and flag of a field are the same thing."""

import dataclasses
from typing import Optional, Tuple

import pytest
from absl import flags as absl_flags

from bsrn_estimator.errors import UserError
from bsrn_estimator.settings import Flag, Settings, setting


@dataclasses.dataclass(frozen=True)
class Garden(Settings):
    beds: int = setting(3, "how many beds", least=1, most=9, modes=("plant",))
    water: float = setting(0.5, "litres", least=0)
    kind: str = setting("rose", "what grows", choices=("rose", "bean"))
    fenced: bool = setting(False, "keeps deer out")
    rows: Tuple[int, ...] = setting((2, 5), "plants a row")
    gate: Optional[int] = setting(None, "its width", kind=int, least=2, shown="as the path")
    owner: str = setting("", flag="garden_owner")
    inherited: int = setting(7, flag=None)
    plain: int = 1

    def _rules(self):
        yield self.water > 0 or self.beds < 5, "--beds=%d needs --water" % self.beds


@dataclasses.dataclass(frozen=True)
class Field(Settings):
    beds: int = setting(8, "its own default, and the flag of the first")


@pytest.fixture
def parsed():
    def parse(*arguments):
        values = absl_flags.FlagValues()
        shown = list(Garden.define_flags(values, ("plant", "harvest")))
        shown += Field.define_flags(values, ("plow",))
        values(["garden"] + list(arguments))
        return values, shown

    return parse


def test_flags_as_help_shows_them(parsed):
    both = ("plant", "harvest")
    assert parsed()[1] == [
        Flag("beds", "N", "3", "how many beds", ("plant",)),
        Flag("water", "X", "0.5", "litres", both),
        Flag("kind", "rose|bean", "rose", "what grows", both),
        Flag("fenced", "", "off", "keeps deer out", both),
        Flag("rows", "A,B", "2,5", "plants a row", both),
        Flag("gate", "N", "as the path", "its width", both),
        Flag("garden_owner", "TEXT", "", "", both),
    ]


def test_nothing_given_gives_the_defaults(parsed):
    values = parsed()[0]
    # Lists are of strings, as they were typed: what they hold is for their class to read.
    assert Garden.from_flags(values) == Garden(rows=["2", "5"])
    assert Field.from_flags(values).beds == 3  # of the flag, which is the first one's


def test_what_is_given(parsed):
    values = parsed("--beds=4", "--water=2", "--fenced", "--gate=3", "--garden_owner=Eve")[0]
    garden = Garden.from_flags(values, kind="bean", plain=2)
    assert garden.to_dict() == {
        "beds": 4,
        "water": 2.0,
        "kind": "bean",
        "fenced": True,
        "rows": ["2", "5"],
        "gate": 3,
        "owner": "Eve",
        "inherited": 7,
        "plain": 2,
    }


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        (dict(beds=0), "--beds must be at least 1, not 0"),
        (dict(beds=10), "--beds must be at most 9, not 10"),
        (dict(water=-0.25), "--water must be at least 0, not -0.25"),
        (dict(water=float("nan")), "--water must be at least 0, not nan"),
        (dict(gate=1), "--gate must be at least 2, not 1"),
        (dict(kind="oak"), "--kind takes rose or bean, not oak"),
        (dict(beds=6, water=0), "--beds=6 needs --water"),
    ],
)
def test_refusals_name_the_flag_however_the_object_is_made(parsed, wrong, sentence):
    for make in (
        lambda: Garden(**wrong),
        lambda: Garden().replace(**wrong),
        lambda: Garden.from_flags(parsed()[0], **wrong),
    ):
        with pytest.raises(UserError) as caught:
            make()
        assert str(caught.value) == sentence


def test_bounds_are_told_by_the_object_alone(parsed):
    values = parsed("--beds=70")[0]
    assert values.beds == 70
    with pytest.raises(UserError, match="--beds must be at most 9, not 70"):
        Garden.from_flags(values)


def test_settings_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Garden().beds = 4
