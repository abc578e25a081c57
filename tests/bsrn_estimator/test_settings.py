"""Settings declared once: bounds, flags, and the way from one to the other."""

import dataclasses
from typing import Optional, Tuple

import pytest
from absl import flags

from bsrn_estimator.errors import UserError
from bsrn_estimator.settings import Settings, setting


@dataclasses.dataclass(frozen=True)
class Oven(Settings):
    """A setting of each kind."""

    degrees: int = setting(180, "how hot", least=50, most=250)
    share: float = setting(0.25, "how full", least=0, most=1, modes=("bake",))
    fan: bool = setting(True, "moves the air")
    heat: str = setting("both", "from where", choices=("above", "below", "both"))
    racks: Tuple[str, ...] = setting(("1", "3"), "which of them")
    minutes: Optional[float] = setting(None, "how long", kind=float, least=1)
    light: Optional[int] = setting(None, "lamps", kind=int, shown="all that there are")
    door: str = setting("shut", flag=None)
    label: str = setting("", "what to call it", flag="name")
    plain: int = 7

    def _rules(self):
        yield self.degrees < 240 or self.fan, "--degrees above 240 needs --fan"


def parsed(*arguments, cls=Oven):
    values = flags.FlagValues()
    defined = list(cls.define_flags(values, ("bake", "grill")))
    values(["command"] + list(arguments))
    return values, defined


def test_flags_are_the_fields_that_have_one():
    _, defined = parsed()
    assert [flag.name for flag in defined] == [
        "degrees",
        "share",
        "fan",
        "heat",
        "racks",
        "minutes",
        "light",
        "name",
    ]
    told = {flag.name: (flag.takes, flag.default, flag.modes) for flag in defined}
    assert told["degrees"] == ("N", "180", ("bake", "grill"))
    assert told["share"] == ("X", "0.25", ("bake",))
    assert told["fan"] == ("", "on", ("bake", "grill"))
    assert told["heat"] == ("above|below|both", "both", ("bake", "grill"))
    assert told["racks"] == ("A,B", "1,3", ("bake", "grill"))
    assert told["minutes"] == ("X", "", ("bake", "grill"))
    assert told["light"] == ("N", "all that there are", ("bake", "grill"))


def test_a_command_line_without_flags_gives_the_defaults():
    values, _ = parsed()
    assert Oven.from_flags(values) == dataclasses.replace(Oven(), racks=["1", "3"])


def test_flags_become_fields_of_their_kinds():
    values, _ = parsed(
        "--degrees=200",
        "--share=1",
        "--nofan",
        "--heat=below",
        "--racks=2,4,5",
        "--minutes=2.5",
        "--light=0",
        "--name=big",
    )
    made = Oven.from_flags(values, door="open")
    assert made == Oven(200, 1.0, False, "below", ["2", "4", "5"], 2.5, 0, "open", "big")


def test_what_is_given_beside_the_flags_comes_first():
    values, _ = parsed("--degrees=200", "--minutes=2")
    made = Oven.from_flags(values, degrees=60, minutes=None)
    assert (made.degrees, made.minutes) == (60, None)


def test_a_flag_that_two_classes_share_is_defined_by_the_first():
    @dataclasses.dataclass(frozen=True)
    class Grill(Settings):
        degrees: int = setting(220, "how hot")
        turns: int = setting(3, "how often")

    values, _ = parsed()
    assert [flag.name for flag in Grill.define_flags(values, ("grill",))] == ["turns"]
    assert Grill.from_flags(values) == Grill(180, 3)


@pytest.mark.parametrize(
    "values, sentence",
    [
        ({"degrees": 49}, "--degrees must be at least 50, not 49"),
        ({"degrees": 251}, "--degrees must be at most 250, not 251"),
        ({"share": float("nan")}, "--share must be at least 0, not nan"),
        ({"share": float("inf")}, "--share must be at most 1, not inf"),
        ({"heat": "Both"}, "--heat takes above or below or both, not Both"),
        ({"minutes": 0.5}, "--minutes must be at least 1, not 0.5"),
        ({"degrees": 245, "fan": False}, "--degrees above 240 needs --fan"),
    ],
)
def test_values_out_of_bounds_are_refused_however_they_come(values, sentence):
    with pytest.raises(UserError) as caught:
        Oven(**values)
    assert str(caught.value) == sentence
    with pytest.raises(UserError, match=sentence):
        Oven().replace(**values)
    with pytest.raises(UserError, match=sentence):
        Oven.from_flags(parsed()[0], **values)


@pytest.mark.parametrize("values", [{"degrees": 50}, {"degrees": 250}, {"share": 0}, {"share": 1}])
def test_the_bounds_themselves_are_taken(values):
    assert Oven(**values).to_dict() == dict(Oven().to_dict(), **values)
