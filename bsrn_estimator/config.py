"""How a network is trained: the recipe, as one frozen, validated object."""

import dataclasses
import difflib
from typing import Any, Dict, Iterable, Iterator, Tuple

from bsrn_estimator.errors import UserError
from bsrn_estimator.settings import Settings, setting

SCALE_SCHEDULES = ("random", "joint")
SHUFFLED, SORTED = "shuffled", "sorted"
PATCHES, WHOLE = "patches", "whole"
EIGHT, FLIPS = "eight", "flips"
# In the order in which they are done.
DEGRADATIONS = ("blur", "noise", "jpeg")


@dataclasses.dataclass(frozen=True)
class Recipe(Settings):
    """How a network is trained; the defaults are the recipe of the paper (arXiv:1811.12546).

    The gradient of the schedule "joint" is the mean over scales. A batch is that of one scale, in
    one step, on one device; with `accumulate` a step has several, whose gradient is the mean: the
    step of a batch that is so many times larger. The moving average has the decay
    (1 + step) / (10 + step) early on, where that is less than `ema_decay`.

    Raises:
      UserError: a value is out of range.
    """

    scale_schedule: str = setting(
        "random",
        "random: one scale a step, as the paper; joint: all scales in every step",
        choices=SCALE_SCHEDULES,
        shown="random; with --use_npu and --replicas joint",
    )
    batch_size: int = setting(
        8, "LR patches of one scale in one step (or part of it) on one device", least=1
    )
    accumulate: int = setting(
        1,
        "parts of a step, each of --batch_size, in turn in the memory of one",
        least=1,
    )
    patch_size: int = setting(48, "side of an LR patch in pixels", least=1)
    patches_per_tile: int = setting(8, "patches cut from a tile each time it is read", least=1)
    order: str = setting(
        SHUFFLED,
        "shuffled: anew in every epoch; sorted: by name, all epochs alike and without the last "
        "batch, as the authors of SRDRM read",
        choices=(SHUFFLED, SORTED),
    )
    crops: str = setting(
        PATCHES, "patches, or whole: whole pictures, all of one size", choices=(PATCHES, WHOLE)
    )
    orientations: str = setting(
        EIGHT,
        "eight: patches are turned and flipped, in any of eight ways alike; flips: flipped "
        "left-right, then up-down, a share of --flip_share each",
        choices=(EIGHT, FLIPS),
    )
    flip_share: float = setting(
        0.25, "share of the patches that --orientations=flips flips each way", least=0, most=1
    )
    learning_rate: float = setting(1e-4, "Adam's rate at step 0")
    learning_rate_schedule: str = setting(
        "stairs",
        "stairs: times --learning_rate_decay every --learning_rate_decay_steps; cosine: along half "
        "a cosine, 0 from step --learning_rate_decay_steps on; constant: as it is",
        choices=("stairs", "cosine", "constant"),
    )
    learning_rate_decay: float = setting(0.5, "factor of the rate at each stair")
    learning_rate_decay_steps: int = setting(
        200000, "steps from stair to stair, or to the end of the cosine", least=1
    )
    warmup_steps: int = setting(
        0, "steps over which the rate rises, in a line from 0, to that of the schedule", least=0
    )
    block_rate: float = setting(
        1.0, "factor of the rate of weights that a network uses more than once, as BSRN its block"
    )
    clip_norm: float = setting(
        5.0, "largest L2 norm of a tensor's gradient; 0 clips nothing", least=0
    )
    adam_beta1: float = setting(0.9, "Adam's beta1, the decay of the mean of gradients", least=0)
    adam_epsilon: float = setting(1e-8, "Adam's epsilon")
    ema_decay: float = setting(
        0.0,
        "decay of the moving average of the weights that is evaluated and exported; 0 for none",
    )
    seed: int = setting(1, "seed of the first weights and of every draw of training data", least=0)
    degradations: Tuple[str, ...] = setting(
        (), "what LR patches are degraded with: any of jpeg,noise,blur", shown="none"
    )
    jpeg_quality: Tuple[int, int] = setting((30, 95), "least and largest quality of jpeg")
    jpeg_share: float = setting(0.7, "share of the patches that get jpeg", least=0, most=1)
    noise_sigma: Tuple[float, float] = setting(
        (1.0, 8.0), "least and largest standard deviation of noise, in grey levels"
    )
    noise_share: float = setting(0.3, "share of the patches that get noise", least=0, most=1)
    blur_sigma: Tuple[float, float] = setting(
        (0.3, 0.9), "least and largest standard deviation of blur, in LR pixels"
    )
    blur_share: float = setting(0.3, "share of the patches that get blur", least=0, most=1)

    def __post_init__(self) -> None:
        # Words of a flag, or a list of JSON: names in one order, and numbers.
        given = self.degradations
        names = tuple(name for name in DEGRADATIONS if name in given)
        unknown = tuple(name for name in given if name not in DEGRADATIONS)
        object.__setattr__(self, "degradations", names + unknown)
        for name, kind in (("jpeg_quality", int), ("noise_sigma", float), ("blur_sigma", float)):
            object.__setattr__(self, name, _range(name, getattr(self, name), kind))
        super().__post_init__()

    @classmethod
    def of(cls, network: Any, **others: Any) -> "Recipe":
        """That of the paper of a network's family, but for `others`.

        Args:
          network: a network, or its family.
          others: fields that take another value.
        """
        return cls(**dict(network.recipe, **others))

    @property
    def step_batch(self) -> int:
        """LR patches of one scale in one step on one device."""
        return self.accumulate * self.batch_size

    def _rules(self) -> Iterator[Tuple[bool, str]]:
        for name in ("learning_rate", "block_rate", "adam_epsilon"):
            value = getattr(self, name)
            finite = 0 < value < float("inf")
            yield finite, "--%s must be above 0 and finite, not %s" % (name, value)
        yield (
            0 <= self.ema_decay < 1,
            "--ema_decay must be at least 0 and below 1, not %s" % self.ema_decay,
        )
        yield self.adam_beta1 < 1, "--adam_beta1 must be below 1, not %g" % self.adam_beta1
        yield (
            0 < self.learning_rate_decay <= 1,
            "--learning_rate_decay must be above 0 and at most 1, not %s"
            % self.learning_rate_decay,
        )
        yield (
            set(self.degradations) <= set(DEGRADATIONS),
            "--degradations takes any of jpeg,noise,blur, or nothing, not %s"
            % ",".join(self.degradations),
        )
        yield (
            self.crops == PATCHES or self.orientations == FLIPS,
            "--crops=whole cannot turn pictures, which need not be square; give "
            "--orientations=flips too",
        )
        yield (
            self.crops == PATCHES or not self.degradations,
            "--degradations is for patches; leave it out, or give --crops=patches",
        )
        for name, least, most in (
            ("jpeg_quality", 1, 100),
            ("noise_sigma", 0, 50),
            ("blur_sigma", 0.1, 4),
        ):
            low, high = getattr(self, name)
            yield (
                least <= low <= high <= most,
                "--%s takes two numbers of %g to %g, the lower one first, not %g,%g"
                % (name, least, most, low, high),
            )


def _range(name: str, values: Iterable, kind: type) -> Tuple:
    """The two numbers of a range of strengths, of words or numbers."""
    values = tuple(values)
    try:
        numbers = tuple(kind(value) for value in values)
    except ValueError:
        numbers = ()
    if len(numbers) != 2:
        listed = ",".join(str(value) for value in values)
        kinds = "whole numbers" if kind is int else "numbers"
        raise UserError("--%s takes two %s, as in 1,2, not %s" % (name, kinds, listed or "nothing"))
    return numbers


def checked_fields(classes: Iterable[type], values: Dict[str, Any], source: str) -> None:
    """Looks at parsed JSON that is to become objects of `classes`.

    Raises:
      UserError: a field has no meaning in any of them (the nearest right name is given), or a value
        is of the wrong type. `source` names the file in the message.
    """
    fields = {field.name: field for cls in classes for field in dataclasses.fields(cls)}
    for name, value in values.items():
        if name not in fields:
            near = difflib.get_close_matches(name, fields, n=1)
            hint = "; did you mean %s?" % near[0] if near else ""
            raise UserError("%s has an unknown field %s%s" % (source, name, hint))
        if not _fits(value, fields[name].default):
            raise UserError("%s: %s cannot be %r" % (source, name, value))


def _fits(value: Any, default: Any) -> bool:
    """Whether a JSON `value` can stand where `default` stands."""
    if isinstance(default, tuple):
        part = default[0] if default else ""
        return isinstance(value, (list, tuple)) and all(_fits(v, part) for v in value)
    if isinstance(value, bool):
        return False
    if isinstance(default, float):
        return isinstance(value, (int, float))
    return isinstance(value, type(default))
