"""Adam with a rate of its own for some weights, and gradients clipped once they are averaged."""

import contextlib
from typing import Any, Callable, Iterator

from bsrn_estimator.compat import tf


class TunedAdam(tf.train.AdamOptimizer):
    """Adam, whose variables it has.

    Args:
      rate: of the weights that `is_slowed` does not name.
      epsilon: Adam's.
      factor: what the rate is multiplied with for the weights that `is_slowed` names.
      is_slowed: a variable's name to whether it is one of them.
      clip_norm: largest L2 norm of a gradient when it comes to be applied, which with replicas is
        after it has been averaged; 0 clips nothing.
      beta1: Adam's.
    """

    _lr_t: Any

    def __init__(
        self,
        rate: Any,
        epsilon: float,
        factor: float,
        is_slowed: Callable[[str], bool],
        clip_norm: float,
        beta1: float,
    ) -> None:
        super().__init__(rate, beta1, epsilon=epsilon)
        self._factor, self._is_slowed, self._clip_norm = factor, is_slowed, clip_norm

    def _apply_dense(self, grad, var):
        with self._rate_of(var):
            return super()._apply_dense(self._clipped(grad), var)

    def _resource_apply_dense(self, grad, var):
        with self._rate_of(var):
            return super()._resource_apply_dense(self._clipped(grad), var)

    @contextlib.contextmanager
    def _rate_of(self, variable) -> Iterator[None]:
        rate = self._lr_t
        if self._is_slowed(variable.op.name):
            self._lr_t = self._factor * rate
        try:
            yield
        finally:
            self._lr_t = rate

    def _clipped(self, gradient):
        return tf.clip_by_norm(gradient, self._clip_norm) if self._clip_norm else gradient
