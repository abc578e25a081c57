"""Settings declared once: a dataclass whose fields are flags, with their help, bounds and modes.

Each room has such a class. A field made by `setting` is the default, the help of `--help`, the
bounds that are checked wherever the object is made, and the flag of the same name.
"""

import dataclasses
from typing import Any, Dict, Iterator, NamedTuple, Optional, Sequence, Tuple, Type, TypeVar

from absl import flags as absl_flags

from bsrn_estimator.errors import UserError

TRAINING = ("train", "train_and_evaluate")
EVALUATION = ("evaluate", "train_and_evaluate")
USE = ("predict", "export")
MODES = ("train", "evaluate", "train_and_evaluate", "predict", "export")

_KEY = "setting"
_Self = TypeVar("_Self", bound="Settings")


class Setting(NamedTuple):
    """What is said of a field beside its type and default.

    Attributes:
      help: a line for `--help`.
      kind: bool, int, float, str; tuple for a list, list for a flag that may be repeated.
      flag: the name of its flag; None where another room defines that.
      modes: the modes that read it; None for those of its class.
      least: the smallest value.
      most: the largest value.
      choices: the values that there are.
      shown: the default as `--help` has it, where it is found out later; the flag itself then has
        none.
    """

    help: str
    kind: type
    flag: Optional[str]
    modes: Optional[Tuple[str, ...]]
    least: Optional[float]
    most: Optional[float]
    choices: Sequence[str]
    shown: Optional[str]


def setting(
    default: Any,
    help: str = "",
    kind: Optional[type] = None,
    flag: Optional[str] = "",
    modes: Optional[Tuple[str, ...]] = None,
    least: Optional[float] = None,
    most: Optional[float] = None,
    choices: Sequence[str] = (),
    shown: Optional[str] = None,
) -> Any:
    """A field of a `Settings` class; see `Setting`.

    Args:
      default: its value where the user says nothing.
      kind: the type of a value; by default that of `default`.
      flag: by default the name of the field; None where another class defines the flag.
    """
    said = Setting(help, kind or type(default), flag, modes, least, most, tuple(choices), shown)
    return dataclasses.field(default=default, metadata={_KEY: said})


class Flag(NamedTuple):
    """A flag as `--help` shows it: its name, what it takes, its default, help and modes."""

    name: str
    takes: str
    default: str
    help: str
    modes: Tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Settings:
    """Base of the classes of settings; checks the bounds of their fields.

    Raises:
      UserError: a value is out of its bounds, or two contradict each other.
    """

    def __post_init__(self) -> None:
        for field, said in _settings_of(type(self)):
            _check(said.flag or field.name, said, getattr(self, field.name))
        for holds, message in self._rules():
            if not holds:
                raise UserError(message)

    def _rules(self) -> Iterator[Tuple[bool, str]]:
        """Pairs of whether something holds, and the sentence where it does not."""
        return iter(())

    def to_dict(self) -> Dict[str, Any]:
        """All fields, in the order of the class."""
        return dataclasses.asdict(self)

    def replace(self: _Self, **changes: Any) -> _Self:
        """The same settings but for `changes`.

        Raises:
          UserError: see the class.
        """
        return dataclasses.replace(self, **changes)

    @classmethod
    def define_flags(cls, values: absl_flags.FlagValues, modes: Tuple[str, ...]) -> Iterator[Flag]:
        """Defines the flags of the class; yields them as `--help` shows them.

        Args:
          values: where they are defined.
          modes: the modes that read them, where a field says nothing else.
        """
        for field, said in _settings_of(cls):
            # A flag that classes share is defined by the first of them.
            if said.flag is not None and (said.flag or field.name) not in values:
                yield _define(values, said.flag or field.name, field.default, said, modes)

    @classmethod
    def from_flags(cls: Type[_Self], values: absl_flags.FlagValues, **others: Any) -> _Self:
        """The settings that parsed flags describe.

        Args:
          values: the flags.
          others: fields that take another value than that of their flag.

        Raises:
          UserError: see the class.
        """
        for field, said in _settings_of(cls):
            name = said.flag or field.name
            if field.name not in others and name in values:
                value = values[name].value
                # None says that the user said nothing, where the default is another's to choose.
                value = field.default if value is None else value
                others[field.name] = tuple(value) if said.kind is list else value
        return cls(**others)


def _settings_of(cls) -> Iterator[Tuple[dataclasses.Field, Setting]]:
    for field in dataclasses.fields(cls):
        if _KEY in field.metadata:
            yield field, field.metadata[_KEY]


def _check(name: str, said: Setting, value: Any) -> None:
    if value is None:
        return
    if said.least is not None and not value >= said.least:
        raise UserError("--%s must be at least %g, not %s" % (name, said.least, value))
    if said.most is not None and not value <= said.most:
        raise UserError("--%s must be at most %g, not %s" % (name, said.most, value))
    if said.choices and value not in said.choices:
        raise UserError("--%s takes %s, not %s" % (name, " or ".join(said.choices), value))


def _define(values, name: str, default: Any, said: Setting, modes: Tuple[str, ...]) -> Flag:
    # Bounds are left to the object that is made of the flags, so that they are told in one way.
    if said.shown is not None:
        default = None  # so that it can be told whether the user said something
    if said.choices:
        absl_flags.DEFINE_enum(name, default, said.choices, said.help, flag_values=values)
    elif said.kind is bool:
        absl_flags.DEFINE_boolean(name, default, said.help, flag_values=values)
    elif said.kind is int:
        absl_flags.DEFINE_integer(name, default, said.help, flag_values=values)
    elif said.kind is float:
        absl_flags.DEFINE_float(name, default, said.help, flag_values=values)
    elif said.kind is list:
        absl_flags.DEFINE_multi_string(name, list(default), said.help, flag_values=values)
    elif said.kind is tuple:
        listed = default and [str(part) for part in default]
        absl_flags.DEFINE_list(name, listed, said.help, flag_values=values)
    else:
        absl_flags.DEFINE_string(name, default, said.help, flag_values=values)
    kinds = {bool: "", int: "N", float: "X", tuple: "A,B", list: "NAME=VALUE"}
    takes = kinds.get(said.kind, "TEXT")
    shown = default_shown(default) if said.shown is None else said.shown
    return Flag(name, "|".join(said.choices) or takes, shown, said.help, said.modes or modes)


def default_shown(default: Any) -> str:
    """A default as `--help` has it."""
    if default is None:
        return ""
    if isinstance(default, bool):
        return "on" if default else "off"
    if isinstance(default, tuple):
        return ",".join(str(part) for part in default)
    return "%g" % default if isinstance(default, float) else str(default)
