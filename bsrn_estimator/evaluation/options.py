"""The protocol of an evaluation, and where its results go."""

import dataclasses
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from bsrn_estimator import files
from bsrn_estimator.evaluation.grey import BY_FILE, RULES
from bsrn_estimator.evaluation.protocols import PROTOCOLS
from bsrn_estimator.networks.precision import FLOAT32
from bsrn_estimator.settings import EVALUATION, Settings, setting


@dataclasses.dataclass(frozen=True)
class EvaluationOptions(Settings):
    """The protocol of an evaluation, and what is written of it.

    Raises:
      UserError: a value is out of range.
    """

    eval_data_dir: str = setting(
        "tfrecords/bsd100",
        "evaluation records that data_tools/to_tfrecord.py wrote; several sets with commas",
    )
    best_by: Optional[str] = setting(
        None,
        "the name of the set by which the best checkpoint is chosen",
        kind=str,
        shown="the first of --eval_data_dir",
    )
    shave: Optional[int] = setting(
        None,
        "pixels left out along each border",
        kind=int,
        least=0,
        modes=EVALUATION + ("predict",),
        shown="the scale",
    )
    grey: str = setting(
        BY_FILE,
        "Y of a grey picture: as its file is, one channel or RGB; or of studio range for all, as "
        "BasicSR takes it",
        choices=RULES,
        modes=EVALUATION + ("predict",),
    )
    follow: bool = setting(
        False,
        "evaluates every new checkpoint of the run in --model_dir that trains elsewhere, until "
        "--train_steps, or else the last step that the run itself has written down",
        modes=("evaluate",),
    )
    single_outputs: bool = setting(False, "evaluates each output of the network beside its result")
    save_pictures: bool = setting(False, "writes the pictures of an evaluation")
    uiqm: bool = setting(False, "adds UIQM, a measure of underwater pictures")
    protocol: Tuple[str, ...] = setting(
        (), "adds the figures of other protocols: any of %s" % ",".join(PROTOCOLS), shown="none"
    )
    stretch_lr: bool = setting(
        False, "stretches the contrast of the LR pictures as the loader of SRDRM does"
    )

    def _rules(self) -> Iterator[Tuple[bool, str]]:
        unknown = [name for name in self.protocol if name not in PROTOCOLS]
        yield (
            not unknown,
            "--protocol takes any of %s, not %s" % (",".join(PROTOCOLS), ",".join(unknown)),
        )
        yield (
            not (self.protocol and self.stretch_lr),
            "--protocol says itself whether LR is stretched; leave --stretch_lr out",
        )

    @property
    def folders(self) -> List[str]:
        """The folders of records, in the order of the user.

        Raises:
          UserError: one is empty.
        """
        return files.listed_paths(self.eval_data_dir, "eval_data_dir")

    def shave_of(self, scale: int) -> int:
        """The pixels left out on each side at `scale`."""
        return scale if self.shave is None else self.shave


def _nothing(content: Dict[str, Any]) -> None:
    del content


@dataclasses.dataclass(frozen=True)
class Destination:
    """Where the results of an evaluation go.

    Attributes:
      folder: where pictures go, in a folder of their own; None writes none.
      summary_dir: the folder of the Estimator's evaluation events, MODEL_DIR/eval_SET, which takes
        the pictures for TensorBoard; None for none.
      precision: in which the network is computed, for metrics.json.
      pictures: how many the data hold, for the time left; 0 where that is not known.
      summary_pictures: how many pictures TensorBoard gets, from the first on.
      data_set: the name of the set, which stands in the tags of its curves.
      take: called with the figures of an evaluation that was carried to its end, as
        `report.Report` gives them.
    """

    folder: Optional[str] = None
    summary_dir: Optional[str] = None
    precision: str = FLOAT32
    pictures: int = 0
    summary_pictures: int = 2
    data_set: str = ""
    take: Callable[[Dict[str, Any]], None] = _nothing

    def tag(self, name: str) -> str:
        """See `curve_tag`."""
        return curve_tag(name, self.data_set)


def curve_tag(name: str, data_set: str) -> str:
    """The tag of a curve of a set, such as psnr_y/set5/x2 of "psnr_y/x2".

    So TensorBoard has a chart for each set, at the height of that set; runs lie over one another.
    """
    figure, rest = name.split("/", 1)
    return "/".join([figure, data_set, rest] if data_set else [figure, rest])
