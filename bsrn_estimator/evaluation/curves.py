"""Curves of evaluations: a folder of events for each line of a chart.

TensorBoard draws the points of one name from several folders into one chart. So what is to be
compared has one name: MODEL_DIR/eval_SET has the figures of the network, `bicubic` in it those of
bicubic, and `best` the highest mean of `psnr_y` up to each step.
"""

import math
import os
from typing import Any, Dict, Optional, Sequence

from bsrn_estimator.checkpoints.best import mean_psnr
from bsrn_estimator.compat import tf
from bsrn_estimator.evaluation import hook, metrics, report
from bsrn_estimator.evaluation.options import curve_tag

BICUBIC, BEST = "bicubic", "best"
_PICTURES = 2
# Of metrics.json, and the name of the network's figure that each is drawn with.
_OF_BICUBIC = {report.BICUBIC_PSNR_Y: metrics.PSNR_Y, report.BICUBIC_SSIM_Y: metrics.SSIM_Y}


def pictures_drawn(earlier: int) -> int:
    """How many pictures an evaluation shows that has so many before it.

    The first evaluation shows them, the second, the fourth and so on, as learning slows down: seven
    in a hundred. TensorBoard itself keeps ten of a name.
    """
    number = earlier + 1
    return _PICTURES if number & (number - 1) == 0 else 0


class Curves:
    """The curves of one data set and protocol.

    Args:
      folder: that of the network's figures, as the Estimator writes them.
      data_set: the name of the set in the names of the curves, see `options.curve_tag`.
    """

    def __init__(self, folder: str, data_set: str = "") -> None:
        self._data_set = data_set
        folders = [folder] + [os.path.join(folder, line) for line in (BICUBIC, BEST)]
        # That of the network is the Estimator's: there is one writer for each path.
        self._writers = [tf.summary.FileWriterCache.get(path) for path in folders]

    def take_back(self, step: Optional[int]) -> None:
        """Lets TensorBoard forget what an earlier evaluation of `step` has written."""
        for writer in self._writers:
            writer.add_session_log(tf.SessionLog(status=tf.SessionLog.START), step or 0)

    def add(self, content: Dict[str, Any], earlier: Sequence[Dict[str, Any]]) -> None:
        """Adds the points beside those of the network, and brings all to the disk.

        Args:
          content: the figures of this evaluation, as metrics.json has them.
          earlier: those of the steps before it.
        """
        step = content["global_step"] or 0
        of_bicubic = {
            "%s/x%s" % (drawn, scale): entry[name]
            for scale, entry in content["scales"].items()
            for name, drawn in _OF_BICUBIC.items()
        }
        best = max(mean_psnr(figures) for figures in [content, *earlier])
        for writer, values in zip(self._writers[1:], (of_bicubic, {hook.MEAN_PSNR: best})):
            writer.add_summary(self._summary(values), step)
        for writer in self._writers:
            writer.flush()

    def _summary(self, values: Dict[str, Any]) -> "tf.Summary":
        summary = tf.Summary()
        for name, value in values.items():
            if value is not None and math.isfinite(value):
                summary.value.add(tag=curve_tag(name, self._data_set), simple_value=value)
        return summary
