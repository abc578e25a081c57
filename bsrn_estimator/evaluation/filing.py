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
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Tuple

from bsrn_estimator.data.manifest import Manifest
from bsrn_estimator.errors import UserError
from bsrn_estimator.evaluation import comparison, metrics, report
from bsrn_estimator.evaluation.grey import BY_FILE
from bsrn_estimator.evaluation.options import EvaluationOptions
from bsrn_estimator.networks.precision import FLOAT32

_STEPS = "step-*"
_DIGITS = 8


@dataclasses.dataclass(frozen=True)
class Subject:
    """What is measured, and how; equal for figures that may be compared with one another.

    Attributes:
      data_set: name of the set, see `Manifest.name_in`.
      records: a digest of what they hold.
      shaves: (scale, pixels left out on each side) of each scale, ascending.
      own_shave: the `--shave` of the user; None for that of the field.
      all_scales: whether they are all scales of the network.
      precision: in which the network is computed.
      degraded: what was done to the LR pictures; empty for nothing.
      grey: what Y of a grey picture is, see the module `grey`.
      converted: whose contrast the conversion stretched, see `Manifest.stretch`.
      stretched: whether this evaluation stretches that of LR.
    """

    data_set: str
    records: str
    shaves: Tuple[Tuple[int, int], ...]
    own_shave: Optional[int] = None
    all_scales: bool = True
    precision: str = FLOAT32
    degraded: str = ""
    grey: str = BY_FILE
    converted: str = ""
    stretched: bool = False

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
        name = manifest.name_in(options.eval_data_dir)
        shards = [(shard.records, shard.crc32c) for shard in manifest.shards]
        shaves = tuple((scale, options.shave_of(scale)) for scale in sorted(scales))
        return cls(
            name,
            _digest(shards),
            shaves,
            options.shave,
            every,
            precision,
            manifest.degrade,
            options.grey,
            manifest.stretch,
            options.stretch_lr,
        )

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
        if self.grey != BY_FILE:
            parts.append(self.grey)
        if self.stretched:
            parts.append("stretched")
        return _safe("-".join(parts))

    @property
    def tag(self) -> str:
        """The name of the set in the tags of curves."""
        return _safe(self.data_set)

    def to_dict(self) -> Dict[str, Any]:
        """What metrics.json and best.json say of it."""
        degraded = {"degraded": self.degraded} if self.degraded else {}
        stretched = {"lr": "LR", "both": "LR and HR"}.get(self.converted, "")
        if self.stretched:
            stretched = stretched or "LR"
        if stretched:
            degraded["stretched"] = stretched
        return {
            "data_set": self.data_set,
            **degraded,
            "records": self.records,
            "shaves": {str(scale): shave for scale, shave in self.shaves},
            "precision": self.precision,
            "grey": self.grey,
        }

    def is_of(self, content: Dict[str, Any]) -> bool:
        """Whether figures, as `to_dict` marks them, are of this subject; the name may differ."""
        mine = self.to_dict()
        # Before there was another precision, it was not written. Before `grey` was, figures of grey
        # pictures followed a rule that is no longer there.
        theirs = dict({"precision": FLOAT32}, **content)
        compared = ("records", "shaves", "precision", "grey", "stretched")
        return all(theirs.get(key) == mine.get(key) for key in compared)


class Filed(NamedTuple):
    """What was measured of one checkpoint.

    Attributes:
      folder: where tables of it belong.
      suffix: for the names of such tables, where the folder may have those of other weights.
      contents: the metrics.json by the name under which it is filed.
    """

    folder: str
    suffix: str
    contents: Dict[str, Dict[str, Any]]


class Cabinet:
    """The folders of the evaluations in a model folder.

    Args:
      model_dir: the model folder.
      subject: what is measured.
    """

    def __init__(self, model_dir: str, subject: Subject) -> None:
        self._root = os.path.join(model_dir, "evaluation")
        self._subject = subject

    def name(self, step: Optional[int], weights: str, foreign: bool = False) -> str:
        """The name under which figures are filed: folders of evaluations and of curves have it.

        A name is that of one subject for good; another subject of this name, such as a folder of
        the same name elsewhere, has its digest behind it. Weights from elsewhere do not take the
        place of those that were measured at their step.

        Args:
          step: of the checkpoint; None where it is not known.
          weights: a digest of the weights.
          foreign: whether they are not of a run in this model folder, or do not hold their step.
        """
        name = self._subject.name
        filed = [content for content in self._filed(_STEPS, name) if "records" in content]
        if any(not self._subject.is_of(content) for content in filed[:1]):
            name += "-" + _digest(self._subject.to_dict())[:_DIGITS]
        if foreign:
            for content in self._filed(_folder_of(step), name):
                if _weights_of(content) != weights:
                    name += "-" + weights[:_DIGITS]
        return name

    def of_weights(self, step: Optional[int], weights: str, foreign: bool = False) -> Filed:
        """All figures of a step that are of these weights; for the arguments see `name`."""
        found, others = {}, False
        for path, content in self._read(_folder_of(step), "*"):
            if _weights_of(content) == weights:
                found[os.path.basename(os.path.dirname(path))] = content
            else:
                others = True
        suffix = "-" + weights[:_DIGITS] if foreign and others else ""
        folder = os.path.join(self._root, _folder_of(step))
        return Filed(folder, suffix, {name: found[name] for name in sorted(found)})

    def folder(self, step: Optional[int], name: str) -> str:
        """Where metrics.json and pictures of a step go."""
        return os.path.join(self._root, _folder_of(step), name)

    def recorded(
        self, step: Optional[int], name: str, weights: str, options: EvaluationOptions
    ) -> Optional[Dict[str, Any]]:
        """The metrics.json of an evaluation that came to its end and measured what is asked for.

        Args:
          step: of the checkpoint; None where it is not known.
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
        figures += report.figures_of(options.protocol)
        entries = content["scales"].values()
        wanted = [
            self._subject.is_of(content),
            _weights_of(content) == weights,
            all(isinstance(entry, dict) and set(figures) <= set(entry) for entry in entries),
            not options.save_pictures or os.path.isdir(os.path.join(folder, "pictures")),
        ]
        return content if all(wanted) else None

    def before(self, step: Optional[int], name: str) -> List[Dict[str, Any]]:
        """The metrics.json of the steps before `step` that are filed under the name."""
        filed = self._filed(_STEPS, name)
        return [content for content in filed if (content.get("global_step") or 0) < (step or 0)]

    def is_last(self, step: Optional[int], name: str) -> bool:
        """Whether no later step was filed under the name."""
        folders = glob.glob(os.path.join(glob.escape(self._root), _STEPS, glob.escape(name)))
        numbers = [os.path.basename(os.path.dirname(path))[len("step-") :] for path in folders]
        return all(int(number) <= (step or 0) for number in numbers if number.isdigit())

    def _filed(self, step: str, name: str) -> Iterator[Dict[str, Any]]:
        """The readable metrics.json of a name, at a step or, by a pattern, at any."""
        return (content for _, content in self._read(step, glob.escape(name)))

    def _read(self, step: str, name: str) -> Iterator[Tuple[str, Dict[str, Any]]]:
        """Path and content of the readable metrics.json that two patterns name."""
        root = glob.escape(self._root)
        for path in glob.iglob(os.path.join(root, step, name, report.FILE_NAME)):
            try:
                yield path, report.load(path)
            except UserError:
                continue


def _folder_of(step: Optional[int]) -> str:
    """The folder of a step, or of checkpoints of which none is known."""
    return "step-" + report.step_in_words(step)


def _safe(name: str) -> str:
    """A name for a folder, without what begins a pattern, as TensorBoard looks by patterns."""
    return re.sub(r"[\[\]]", "_", comparison.safe_name(name))


def _weights_of(content: Dict[str, Any]) -> Optional[str]:
    weights = content.get("weights")
    return weights.get("digest") if isinstance(weights, dict) else None


def _digest(values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
