"""The hyper-parameters of one network and its training, as one frozen, validated object."""

import dataclasses
import difflib
import os
from typing import Any, Dict, Tuple

from bsrn_estimator import files
from bsrn_estimator.errors import UserError

SUPPORTED_SCALES = (2, 3, 4, 8)
SCALE_SCHEDULES = ("random", "joint")
FILE_NAME = "config.json"


@dataclasses.dataclass(frozen=True)
class Config:
    """Hyper-parameters; the defaults are the recipe of the paper (arXiv:1811.12546).

    The first block fixes names and shapes of the weights, the second how they are trained.

    Attributes:
      scales: the scales that the network has an upscaler for, each of 2, 3, 4, 8.
      conv_features: channels of the features ("c" in the paper).
      state_features: channels of the block state ("s"); 0 leaves the state out.
      recursions: how often the recursive block is applied ("R").
      recursion_frequency: an output is taken after every so many recursions ("r"); divides
        `recursions`.
      rgb_mean: what is subtracted from the three channels of the input, in 0..255.
      scale_schedule: "random", one scale a step, drawn at random; or "joint", every scale in
        every step, the gradient being the mean over scales.
      batch_size: LR patches of one scale, in one step, on one device.
      patch_size: height and width of an LR patch, in pixels.
      patches_per_tile: patches cut from a tile each time it is read; the order of the training data
        depends on it.
      learning_rate: Adam's rate at step 0.
      learning_rate_decay: factor applied to the rate every `learning_rate_decay_steps` steps.
      learning_rate_decay_steps: length of one stair of the schedule, in steps.
      clip_norm: largest L2 norm of the gradient of one tensor; 0 switches clipping off.
      adam_epsilon: Adam's epsilon.
      ema_decay: decay of the exponential moving average of the weights, which is what evaluation,
        prediction and export then use; early on (1 + step) / (10 + step) where that is less. 0
        keeps no average.
      seed: seed of the initial weights and of every random draw of the training data.

    Raises:
      UserError: a value is out of range, or two values contradict each other.
    """

    scales: Tuple[int, ...] = (2, 3, 4)
    conv_features: int = 64
    state_features: int = 64
    recursions: int = 16
    recursion_frequency: int = 1
    rgb_mean: Tuple[float, float, float] = (127.5, 127.5, 127.5)

    scale_schedule: str = "random"
    batch_size: int = 8
    patch_size: int = 48
    patches_per_tile: int = 8
    learning_rate: float = 1e-4
    learning_rate_decay: float = 0.5
    learning_rate_decay_steps: int = 200000
    clip_norm: float = 5.0
    adam_epsilon: float = 1e-8
    ema_decay: float = 0.0
    seed: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple(self.scales))
        object.__setattr__(self, "rgb_mean", tuple(float(value) for value in self.rgb_mean))
        for holds, message in self._rules():
            if not holds:
                raise UserError(message)

    def _rules(self):
        supported = ", ".join(str(scale) for scale in SUPPORTED_SCALES)
        yield (
            self.scales
            and set(self.scales) <= set(SUPPORTED_SCALES)
            and list(self.scales) == sorted(set(self.scales)),
            "--scales takes different ones of %s in ascending order, not %s"
            % (supported, ",".join(str(scale) for scale in self.scales) or "nothing"),
        )
        yield len(self.rgb_mean) == 3, "rgb_mean takes three values, not %d" % len(self.rgb_mean)
        lowest = {
            "conv_features": 1,
            "state_features": 0,
            "recursions": 1,
            "recursion_frequency": 1,
            "batch_size": 1,
            "patch_size": 1,
            "patches_per_tile": 1,
            "learning_rate_decay_steps": 1,
            "clip_norm": 0,
            "seed": 0,
        }
        for name, bound in lowest.items():
            value = getattr(self, name)
            yield value >= bound, "--%s must be at least %s, not %s" % (name, bound, value)
        yield (
            self.recursions % self.recursion_frequency == 0,
            "--recursions=%d must be a multiple of --recursion_frequency=%d, or the last "
            "recursions would have no output" % (self.recursions, self.recursion_frequency),
        )
        yield (
            self.scale_schedule in SCALE_SCHEDULES,
            "--scale_schedule takes %s, not %s"
            % (" or ".join(SCALE_SCHEDULES), self.scale_schedule),
        )
        for name in ("learning_rate", "adam_epsilon"):
            value = getattr(self, name)
            finite = 0 < value < float("inf")
            yield finite, "--%s must be above 0 and finite, not %s" % (name, value)
        yield (
            0 <= self.ema_decay < 1,
            "--ema_decay must be at least 0 and below 1, not %s" % self.ema_decay,
        )
        yield (
            0 < self.learning_rate_decay <= 1,
            "--learning_rate_decay must be above 0 and at most 1, not %s"
            % self.learning_rate_decay,
        )

    @property
    def output_recursions(self) -> Tuple[int, ...]:
        """The recursions, counted from 1, after which an output is taken."""
        step = self.recursion_frequency
        return tuple(range(step, self.recursions + 1, step))

    @property
    def output_weights(self) -> Tuple[float, ...]:
        """Weights of the outputs in the loss and in the ensemble: 2^recursion, summing to 1."""
        last = self.output_recursions[-1]
        weights = [2.0 ** (recursion - last) for recursion in self.output_recursions]
        return tuple(weight / sum(weights) for weight in weights)

    def to_dict(self) -> Dict[str, Any]:
        """All fields, in the order of the class."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: Dict[str, Any], source: str = "the configuration") -> "Config":
        """A configuration of `values`; absent fields take their defaults.

        Raises:
          UserError: a field has no meaning here (the nearest right name is given), or a value is
            of the wrong type or out of range. `source` names the file in the message.
        """
        fields = {field.name: field for field in dataclasses.fields(cls)}
        for name, value in values.items():
            if name not in fields:
                near = difflib.get_close_matches(name, fields, n=1)
                hint = "; did you mean %s?" % near[0] if near else ""
                raise UserError("%s has an unknown field %s%s" % (source, name, hint))
            if not _fits(value, fields[name].default):
                raise UserError("%s: %s cannot be %r" % (source, name, value))
        return cls(**values)

    def save(self, model_dir: str) -> str:
        """Writes `model_dir`/config.json, whole or not at all, and returns its path."""
        path = os.path.join(model_dir, FILE_NAME)
        os.makedirs(model_dir, exist_ok=True)
        files.write_json(path, self.to_dict())
        return path

    @classmethod
    def load(cls, model_dir: str) -> "Config":
        """The configuration saved in `model_dir`.

        Raises:
          UserError: there is none, or it is not one.
        """
        path = os.path.join(model_dir, FILE_NAME)
        values = files.read_json(
            path, "%s has no %s; name a folder that training wrote" % (model_dir, FILE_NAME)
        )
        if not isinstance(values, dict):
            raise UserError("%s does not hold a configuration" % path)
        return cls.from_dict(values, source=path)


def _fits(value: Any, default: Any) -> bool:
    """Whether a JSON `value` can stand where `default` stands."""
    if isinstance(default, tuple):
        return isinstance(value, (list, tuple)) and all(_fits(v, default[0]) for v in value)
    if isinstance(value, bool):
        return False
    if isinstance(default, float):
        return isinstance(value, (int, float))
    return isinstance(value, type(default))
