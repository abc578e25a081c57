"""The health of a run as curves, and a word in time where the units of a layer die."""

from typing import Any, Dict, List, Mapping, Optional

import numpy as np

from bsrn_estimator.compat import tf
from bsrn_estimator.networks.probe import Layer
from bsrn_estimator.training import health_tensors
from bsrn_estimator.training.options import STOP
from bsrn_estimator.training.step_hook import StepHook

ACTIVE, DEAD, WEIGHT = "health/active/", "health/dead/", "health/norm/weight/"
_GRADIENT, _UPDATE = "health/norm/gradient/", "health/norm/update/"
_ADVICE = (
    "they learn nothing more. What helps: --block_rate=0.25, a lower --learning_rate or "
    "--warmup_steps, from an earlier checkpoint or from the start"
)


class HealthHook(StepHook):
    """Looks at the network every so many steps, and at nothing in the steps between.

    The norms of gradients are fetched with the step that is looked at. Units and weights are
    fetched by themselves: weights before and after the step, so that their difference is the
    update; the units after it, on a picture that is the same in all runs.

    Args:
      summary_steps: steps between two looks.
      on_dead: "stop" ends training where a layer is dying; "warn" says it, once a layer.

    Attributes:
      dying: the sentence that says why training has to end; None where it has not.
    """

    def __init__(self, summary_steps: int, on_dead: str) -> None:
        super().__init__(("step",))
        self._summary_steps, self._on_dead = summary_steps, on_dead
        self.dying: Optional[str] = None
        self._told: List[str] = []
        self._scalars: Dict[str, float] = {}
        self._before: Mapping[str, np.ndarray] = {}

    def begin(self) -> None:
        """Finds the tensors, before the graph is finalized."""
        super().begin()
        self._layers = health_tensors.units()
        self._units = {name: layer[:2] for name, layer in self._layers.items()}
        self._weights = health_tensors.weights()
        self._gradients = health_tensors.gradient_norms()

    def before_run(self, context) -> tf.train.SessionRunArgs:
        """Takes the weights before a step that is looked at, and asks for its gradients."""
        self._is_due = (self._step + 1) % self._summary_steps == 0
        fetches: Dict[str, Any] = {"step": self._fetches["step"]}
        if self._is_due:
            self._before = context.session.run(self._weights)
            fetches["gradients"] = self._gradients
        return tf.train.SessionRunArgs(fetches)

    def after_run(self, context, values) -> None:
        """Makes the scalars of a step that is looked at."""
        step = int(np.mean(values.results["step"]))
        is_made, self._step = step != self._step, step
        if not (self._is_due and is_made):
            return
        after, of_units = context.session.run([self._weights, self._units])
        units = {name: layer.of(of_units[name]) for name, layer in self._layers.items()}
        found = dict(gradients=values.results["gradients"], before=self._before, after=after)
        self._scalars = scalars(units, **found)
        self._before = {}
        self._look(step, units)
        if self.dying:
            context.request_stop()

    def counters(self) -> Dict[str, float]:
        """The scalars of the step that has just been looked at."""
        taken, self._scalars = self._scalars, {}
        return taken

    def _look(self, step: int, units: Mapping[str, Layer]) -> None:
        dying = {name: layer for name, layer in units.items() if layer.is_dying}
        if dying and self._on_dead == STOP:
            self.dying = sentence(step, dying)
        new = {name: layer for name, layer in dying.items() if name not in self._told}
        if new and not self.dying:
            self._told += new
            print("warning: " + sentence(step, new), flush=True)


def scalars(
    units: Mapping[str, Layer],
    gradients: Mapping[str, Any],
    before: Mapping[str, np.ndarray],
    after: Mapping[str, np.ndarray],
) -> Dict[str, float]:
    """The curves of a step.

    Args:
      units: the layers after it.
      gradients: norms of the gradients, one or one for each replica.
      before: the weights before the step.
      after: those after it.
    """
    found = {ACTIVE + name: float(layer.active) for name, layer in units.items()}
    found.update((DEAD + name, float(layer.dead)) for name, layer in units.items())
    for name, value in after.items():
        found[WEIGHT + name] = float(np.linalg.norm(value))
        found[_GRADIENT + name] = float(np.mean(gradients[name]))
        found[_UPDATE + name] = float(np.linalg.norm(value - before[name]))
    return found


def sentence(step: int, dying: Mapping[str, Layer]) -> str:
    """What is said of layers that are dying."""
    listed = ", ".join(
        "%d of %d in %s" % (layer.dead, layer.units, name) for name, layer in dying.items()
    )
    return "step %d: more than a quarter of the units of a layer are dead (%s); %s" % (
        step,
        listed,
        _ADVICE,
    )
