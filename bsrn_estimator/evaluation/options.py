"""The protocol of an evaluation, and what it writes."""

import dataclasses
from typing import Any, Dict, List, Optional

from bsrn_estimator.errors import UserError


@dataclasses.dataclass(frozen=True)
class EvaluationOptions:
    """Protocol of an evaluation, and what it writes.

    Attributes:
      directory: MODEL_DIR/evaluation, where step-N/metrics.json goes; None writes no file.
      summary_dir: the folder of the Estimator's evaluation events, MODEL_DIR/eval, which takes
        the pictures for TensorBoard; None for none.
      data_set: name of the data, for metrics.json and the table.
      shave: pixels left out on each side; None for as many as the scale.
      single_outputs: measures (and saves) the picture after each recursion that has an output.
      uiqm: adds the underwater image quality measure, of the network and of bicubic.
      save_pictures: writes the results as PNG beside metrics.json.
      summary_pictures: how many pictures TensorBoard gets, from the first on.
      pictures: how many the data hold, for the time left; 0 where that is not known.

    Raises:
      UserError: the shave is negative.
    """

    directory: Optional[str] = None
    summary_dir: Optional[str] = None
    data_set: str = ""
    shave: Optional[int] = None
    single_outputs: bool = False
    uiqm: bool = False
    save_pictures: bool = False
    summary_pictures: int = 3
    pictures: int = 0
    _results: List[Dict[str, Any]] = dataclasses.field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        if self.shave is not None and self.shave < 0:
            raise UserError("--shave must be at least 0, not %d" % self.shave)

    def shave_of(self, scale: int) -> int:
        """The pixels left out on each side at `scale`."""
        return scale if self.shave is None else self.shave

    def result(self) -> Dict[str, Any]:
        """The metrics.json of the evaluation that ended last.

        Raises:
          UserError: none did.
        """
        if not self._results:
            raise UserError("no evaluation was carried to its end")
        return self._results[-1]

    def keep(self, content: Dict[str, Any]) -> None:
        """Makes `content` the result; called by the hook."""
        self._results[:] = [content]
