"""A step of a run, and when it was reached."""

import time


class Mark:
    """A step and when it was reached, on a clock that whoever holds it may set forward.

    Args:
      step: the step that has just been made.
    """

    def __init__(self, step: int) -> None:
        self.step = step
        self.time = time.time()

    def is_due(self, step: int, every: int) -> bool:
        """Whether a multiple of `every` lies between the two; loops may pass over it."""
        return step // every > self.step // every

    def rate(self, step: int) -> float:
        """Steps a second since then."""
        return (step - self.step) / max(time.time() - self.time, 1e-9)
