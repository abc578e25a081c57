"""Where the figures of an evaluation are filed: under all that they depend on.

They are figures of a step, of a data set, of a protocol and of weights. MODEL_DIR/evaluation/step-N
has a folder for each data set, protocol and choice of scales, and MODEL_DIR/eval_NAME the curves of
the same name. What else they depend on stands in metrics.json, and is compared before it is taken.
"""

import dataclasses
import glob
import hashlib
import json
import os
import re
from typing import Any, Dict, List, Optional, Sequence, Tuple

from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation import comparison, metrics, report
from bsrn_estimator.evaluation.options import EvaluationOptions
from bsrn_estimator.networks.precision import FLOAT32

_STEPS = "step-*"
_DIGITS = 8


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is measured, and how; equal for figures that may be compared with one another.

    Attributes:
      data_set: name of the data: that of the folder of records.
      records: a digest of what they hold.
      shaves: (scale, pixels left out on each side) of each scale, ascending.
      own_shave: the `--shave` of the user; None for that of the field.
      all_scales: whether they are all scales of the network.
      precision: in which the network is computed.
    """

    data_set: str
    records: str
    shaves: Tuple[Tuple[int, int], ...]
    own_shave: Optional[int] = None
    all_scales: bool = True
    precision: str = FLOAT32

    @classmethod
    def of(
        cls,
        manifest: Manifest,
        options: EvaluationOptions,
        scales: Sequence[int],
        every: bool,
        precision: str = FLOAT32,
    ) -> "Subject":
        """The subject of an evaluation.

        Args:
          manifest: of the evaluation records.
          options: the protocol.
          scales: the scales that are measured.
          every: whether they are all of the network's.
          precision: in which the network is computed.
        """
        name = os.path.basename(os.path.abspath(options.eval_data_dir)) or manifest.dataset
        shards = [(shard.records, shard.crc32c) for shard in manifest.shards]
        shaves = tuple((scale, options.shave_of(scale)) for scale in sorted(scales))
        return cls(name, _digest(shards), shaves, options.shave, every, precision)

    @property
    def name(self) -> str:
        """The name of its folder, where no other subject has that name."""
        parts = [self.data_set]
        if self.own_shave is not None:
            parts.append("shave%d" % self.own_shave)
        if not self.all_scales:
            parts += ["x%d" % scale for scale, _ in self.shaves]
        if self.precision != FLOAT32:
            parts.append(self.precision)
        # Nor what begins a pattern, as TensorBoard looks for curves by them.
        return re.sub(r"[\[\]]", "_", comparison.safe_name("-".join(parts)))

    def to_dict(self) -> Dict[str, Any]:
        """What metrics.json and best.json say of it."""
        return {
            "data_set": self.data_set,
            "records": self.records,
            "shaves": {str(scale): shave for scale, shave in self.shaves},
            "precision": self.precision,
        }

    def is_of(self, content: Dict[str, Any]) -> bool:
        """Whether figures, as `to_dict` marks them, are of this subject; the name may differ."""
        mine = self.to_dict()
        # Before there was another one, it was not written.
        theirs = dict({"precision": FLOAT32}, **content)
        return all(theirs.get(key) == mine[key] for key in ("records", "shaves", "precision"))


class Cabinet:
    """The folders of the evaluations in a model folder.

    Args:
      model_dir: the model folder.
      subject: what is measured.
    """

    def __init__(self, model_dir: str, subject: Subject) -> None:
        self._root = os.path.join(model_dir, "evaluation")
        self._subject = subject

    def name(self, step: int, weights: str, foreign: bool = False) -> str:
        """The name under which figures are filed: folders of evaluations and of curves have it.

        A name is that of one subject for good; another subject of this name, such as a folder of
        the same name elsewhere, has its digest behind it. Weights from elsewhere do not take the
        place of those that were measured at their step.

        Args:
          step: of the checkpoint.
          weights: a digest of the weights.
          foreign: whether they are not those of a run in this model folder.
        """
        name = self._subject.name
        filed = [content for content in self._filed(_STEPS, name) if "records" in content]
        if any(not self._subject.is_of(content) for content in filed[:1]):
            name += "-" + _digest(self._subject.to_dict())[:_DIGITS]
        if foreign:
            for content in self._filed("step-%d" % step, name):
                if _weights_of(content) != weights:
                    name += "-" + weights[:_DIGITS]
        return name

    def folder(self, step: int, name: str) -> str:
        """Where metrics.json and pictures of a step go."""
        return os.path.join(self._root, "step-%d" % step, name)

    def recorded(
        self, step: int, name: str, weights: str, options: EvaluationOptions
    ) -> Optional[Dict[str, Any]]:
        """The metrics.json of an evaluation that came to its end and measured what is asked for.

        Args:
          step: of the checkpoint.
          name: see `name`.
          weights: a digest of the weights.
          options: what is to be measured and written.

        Returns:
          Its content; None without one.
        """
        folder = self.folder(step, name)
        try:
            content = report.load(os.path.join(folder, report.FILE_NAME))
        except UserError:
            return None
        asked = [("outputs", options.single_outputs), (report.UIQM, options.uiqm)]
        figures = [name for name, is_asked in asked if is_asked] + [metrics.PSNR_Y]
        entries = content["scales"].values()
        wanted = [
            self._subject.is_of(content),
            _weights_of(content) == weights,
            all(isinstance(entry, dict) and set(figures) <= set(entry) for entry in entries),
            not options.save_pictures or os.path.isdir(os.path.join(folder, "pictures")),
        ]
        return content if all(wanted) else None

    def before(self, step: int, name: str) -> List[Dict[str, Any]]:
        """The metrics.json of the steps before `step` that are filed under the name."""
        filed = list(self._filed(_STEPS, name))
        return [content for content in filed if content.get("global_step", step) < step]

    def is_last(self, step: int, name: str) -> bool:
        """Whether no later step was filed under the name."""
        folders = glob.glob(os.path.join(glob.escape(self._root), _STEPS, glob.escape(name)))
        numbers = [os.path.basename(os.path.dirname(path))[len("step-") :] for path in folders]
        return all(int(number) <= step for number in numbers if number.isdigit())

    def _filed(self, step: str, name: str):
        """The readable metrics.json of a name, at a step or, by a pattern, at any."""
        root = glob.escape(self._root)
        for path in glob.iglob(os.path.join(root, step, glob.escape(name), report.FILE_NAME)):
            try:
                yield report.load(path)
            except UserError:
                continue


def _weights_of(content: Dict[str, Any]) -> Optional[str]:
    weights = content.get("weights")
    return weights.get("digest") if isinstance(weights, dict) else None


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
