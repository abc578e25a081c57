"""What a family of networks offers to the rest: its fields, its pictures, its loss, its cost.

A network is an object that holds its hyper-parameters and nothing else; the weights live in graphs
and in checkpoints. No module outside of `networks/` knows what a family is made of.
"""

import abc
import contextlib
import dataclasses
from typing import (
    Any,
    Callable,
    ClassVar,
    Dict,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

from bsrn_estimator import scales as scales_module
from bsrn_estimator.networks.choice import OutputChoice
from bsrn_estimator.pictures.tiling import OVERLAP
from bsrn_estimator.settings import TRAINING, Flag, Settings, setting

Shapes = Mapping[str, Tuple[int, ...]]


class Update(NamedTuple):
    """One of several updates of weights that make a training step.

    Attributes:
      name: what its loss is called.
      scope: what the names of the weights begin with that it changes.
      build: makes the graph of its loss, from the weights as they are then: gives the loss, a
        float32 scalar, its parts by their names, and the operations that belong to the update.
    """

    name: str
    scope: str
    build: Callable[[], Tuple[Any, Dict[str, Any], List[Any]]]


class KerasLayer(NamedTuple):
    """A layer of a network as a file of Keras has it.

    Attributes:
      name: what Keras calls it.
      weights: what Keras calls each of its weights, and what it is called here.
    """

    name: str
    weights: Tuple[Tuple[str, str], ...]


@dataclasses.dataclass(frozen=True)
class Network(Settings, abc.ABC):
    """A network of one family; a subclass adds its hyper-parameters as fields.

    All pictures in and out are RGB in 0..255, [batch, height, width, 3]; those that come in may be
    of any dtype, those that go out are float32, neither rounded nor clipped unless said otherwise.

    Attributes:
      family: what the command line and configurations call it.
      scope: what the names of its weights begin with.
      result: the name of the picture that is the network's result, among `result_names`.
      untold: the fields that no shape in a checkpoint tells, and that a user may have to give.
      recipe: fields of the recipe whose defaults are others for this family.
      hr_tile: side in HR pixels of the largest square tile that engines without a `tile` of their
        own for it hold in under 1 GB; None for that of each engine.

    Raises:
      UserError: a value is out of range, or two contradict each other.
    """

    family: ClassVar[str] = ""
    scope: ClassVar[str] = "generator/"
    result: ClassVar[str] = ""
    untold: ClassVar[Tuple[str, ...]] = ()
    recipe: ClassVar[Mapping[str, Any]] = {}
    hr_tile: ClassVar[Optional[int]] = None

    # Without a default of the flag, since that is the family's.
    scales: Tuple[int, ...] = setting(
        (2, 3, 4), "scales, of %s" % scales_module.NAMES, shown="2,3,4"
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "scales", tuple(self.scales))
        scales_module.check(self.scales)
        super().__post_init__()

    @classmethod
    def define_flags(cls, values: Any, modes: Tuple[str, ...]) -> Iterator[Flag]:
        """As for all settings; what a checkpoint tells is read by the modes that train alone."""
        for flag in super().define_flags(values, modes):
            told = flag.name not in cls.untold + ("scales",)
            yield flag._replace(modes=TRAINING) if told else flag

    @abc.abstractmethod
    def loss(
        self,
        features: Dict,
        labels: Dict,
        schedule: str,
        loss_scope: Callable = contextlib.nullcontext,
        unit: float = 1.0,
    ) -> Tuple[Any, Dict[str, Any]]:
        """The loss of one training step.

        Args:
          features: those of `data.input_fn` in that schedule: "lr" [batch, patch, patch, 3]; random
            also "scale", int32 scalar; joint has the patches of all scales in "lr", smallest first.
          labels: random "hr" [batch, scale * patch, scale * patch, 3]; joint "hr_x2" and so on.
          schedule: "random" or "joint".
          loss_scope: makes the context in which pictures are compared with the truth.
          unit: what the platform's weights multiply all features with, for the range of float16
            (see `is_in_unit`); pictures are divided by it, in the context of `loss_scope`.

        Returns:
          (float32 scalar: the loss, {name of a part for TensorBoard: float32 scalar}).
        """

    def updates(
        self,
        features: Dict,
        labels: Dict,
        schedule: str,
        loss_scope: Callable = contextlib.nullcontext,
        feature_file: Optional[str] = None,
    ) -> Sequence[Update]:
        """The updates of one training step, in order, where it has several: the last one is of the
        weights in `scope`. None where a step makes `loss` smaller.

        Args: see `loss`, and
          feature_file: the weights of VGG19, with `compares_features`.
        """
        del features, labels, schedule, loss_scope, feature_file
        return ()

    @property
    def makes_several_updates(self) -> bool:
        """Whether there are `updates`."""
        return False

    @property
    def compares_features(self) -> bool:
        """Whether training needs the weights of VGG19, from a file of the user's; then there is a
        field `vgg19_md5`."""
        return False

    @property
    def counts_together(self) -> bool:
        """Whether all `updates` count Adam's steps together."""
        return False

    @abc.abstractmethod
    def result_names(self, singles: bool = False) -> Tuple[str, ...]:
        """The names of what `results` gives: `result` first; with `singles` each output too."""

    @abc.abstractmethod
    def results(self, lr: Any, scale: int, singles: bool = False) -> Dict[str, Any]:
        """What an evaluation measures of a picture.

        Args:
          lr: [batch, height, width, 3].
          scale: one of `scales`.
          singles: adds the picture of each output.

        Returns:
          Float32 [batch, scale * height, scale * width, 3] by name, as `result_names` has them.
        """

    @abc.abstractmethod
    def picture_names(self, choice: OutputChoice) -> Tuple[str, ...]:
        """The names of what `pictures` gives.

        Raises:
          UserError: the network has no such output.
        """

    @abc.abstractmethod
    def pictures(self, lr: Any, scale: int, choice: OutputChoice) -> List[Any]:
        """The pictures of a choice of outputs, in little memory: what predict shows.

        Args:
          lr: [batch, height, width, 3].
          scale: one of `scales`.
          choice: which outputs.

        Returns:
          A list of float32 [batch, scale * height, scale * width, 3], by `picture_names`.

        Raises:
          UserError: the network has no such output.
        """

    @property
    @abc.abstractmethod
    def tile(self) -> int:
        """Side of a square tile in LR pixels that keeps the memory of `pictures` under 1 GB."""

    @property
    def overlap(self) -> int:
        """Context around what a tile keeps, in LR pixels, that brings it within one grey level of
        the whole picture."""
        return OVERLAP

    @abc.abstractmethod
    def exported(self, lr: Any, scale: int, choice: OutputChoice, clip: bool = True) -> Any:
        """The one picture of an export, in few operations: not rounded, with `clip` in 0..255."""

    @classmethod
    @abc.abstractmethod
    def told_by(cls, shapes: Shapes) -> Optional[Dict[str, Any]]:
        """The fields that the shapes in a checkpoint tell, `scales` among them.

        Args:
          shapes: shape of every variable by its name.

        Returns:
          Field to value; None where the checkpoint holds no network of this family.
        """

    @abc.abstractmethod
    def untold_lines(self) -> List[Tuple[str, str]]:
        """The fields that no shape tells, for people: pairs of a name and what it is."""

    @abc.abstractmethod
    def weight_shapes(self) -> Dict[str, Tuple[int, ...]]:
        """The shape of every weight, by name."""

    def is_reused(self, name: str) -> bool:
        """Whether the weight of that name is used more than once on the way through the network."""
        del name
        return False

    def short_name(self, name: str) -> str:
        """The name of a weight without what the names of all of them begin with."""
        return name[len(self.scope) :] if name.startswith(self.scope) else name

    def activations(self, lr: Any) -> Dict[str, Any]:
        """What comes out of the network's ReLUs, for a look at whether its units live.

        Args:
          lr: [batch, height, width, 3].

        Returns:
          Layer to a tensor [batch, height, width, units] that is above 0 where a unit is active, in
          the order of the network; a layer that is applied several times once each. Empty for a
          family that names none, whose units are then not looked at.
        """
        del lr
        return {}

    def is_in_unit(self, name: str) -> bool:
        """Whether the weight of that name is multiplied by the unit of a platform, so that all
        features are; a network with no such weight has its features in one unit alone."""
        del name
        return False

    @classmethod
    def learns(cls, name: str) -> bool:
        """Whether an optimizer changes the weight of that name; the moving averages of a batch norm
        follow the data."""
        del name
        return True

    def saved_name(self, name: str, shapes: Shapes) -> str:
        """The name in a checkpoint of those shapes of this network's variable `name`."""
        del shapes
        return name

    @classmethod
    def of_keras(cls, kernels: Sequence[Tuple[int, ...]]) -> Optional["Network"]:
        """The network of this family whose weights a file of Keras may hold.

        Args:
          kernels: the shapes of the kernels of all convolutions, in the order of the layers.
        """
        del kernels
        return None

    def keras_layers(self) -> Sequence[KerasLayer]:
        """The layers in a file of Keras, in order; none where no such file is known."""
        return ()

    @abc.abstractmethod
    def parameters(self) -> int:
        """The number of trainable parameters."""

    @abc.abstractmethod
    def multiply_adds(
        self, scale: int, size: Tuple[int, int] = (720, 1280), form: str = "all"
    ) -> int:
        """Multiply-adds of the convolutions for one picture, biases not counted.

        Args:
          scale: one of `scales`.
          size: height and width of the HR picture, in pixels; by the habit of the field 720 x 1280.
          form: which outputs are computed, in the family's own words.
        """
