"""Evaluates every checkpoint of a run that trains elsewhere, as it appears, until the last."""

import os
import sys
import time
from typing import Callable, List, Optional, Set, Tuple

from bsrn_estimator.checkpoints import contents
from bsrn_estimator.checkpoints import files as checkpoint_files
from bsrn_estimator.interruption import Interrupted, Interruption

_SECONDS = 5.0
# Sleep goes on after a signal, so it is taken in parts.
_NAP = 0.2


class Follower:
    """Watches a model folder.

    Args:
      model_dir: the folder; it may not be there yet.
      evaluate: called with the path prefix of a whole checkpoint and its step; may be called with
        one that was evaluated before.
      last_step: gives the step at which the run ends; None as long as that is not known.
      interruption: tells whether a signal came; `evaluate` raises `Interrupted` then.
      seconds: between two looks at the folder.
    """

    def __init__(
        self,
        model_dir: str,
        evaluate: Callable[[str, int], None],
        last_step: Callable[[], Optional[int]],
        interruption: Interruption,
        seconds: float = _SECONDS,
    ) -> None:
        self._model_dir, self._evaluate = model_dir, evaluate
        self._last_step, self._interruption = last_step, interruption
        self._seconds = seconds
        self._seen: Set[Tuple[str, int]] = set()
        self._warned: Set[Tuple[str, int]] = set()
        self._said_waiting = False
        self._step = -1

    def follow(self) -> bool:
        """Evaluates until the last step is done, or a signal comes.

        Returns:
          Whether the last step is done.

        Raises:
          UserError: a checkpoint cannot be evaluated.
        """
        try:
            while not self._is_done():
                new = self._new()
                if not new:
                    self._wait()
                for checkpoint in new:
                    self._look_at(checkpoint)
        except Interrupted:
            return False
        return True

    def _is_done(self) -> bool:
        last = self._last_step()
        return last is not None and self._step >= last

    def _new(self) -> List[str]:
        """Checkpoints that were not looked at, oldest first."""
        found = reversed(checkpoint_files.checkpoints_in(self._model_dir))
        return [prefix for prefix in found if _stamp(prefix) not in self._seen | {None}]

    def _look_at(self, checkpoint: str) -> None:
        if self._interruption.received:
            raise Interrupted
        stamp = _stamp(checkpoint)
        fault = stamp and checkpoint_files.damage(checkpoint)
        if stamp and fault:
            # It may be on its way to the disk: looked at again.
            if stamp not in self._warned and _stamp(checkpoint) == stamp:
                print("warning: %s: %s" % (checkpoint, fault), file=sys.stderr, flush=True)
                self._warned.add(stamp)
            self._wait()
            return
        try:
            if stamp:
                step = contents.describe(checkpoint).global_step or 0
                if step > 0:  # else nothing was learned yet, and a run itself passes it over
                    self._evaluate(checkpoint, step)
                self._step = max(self._step, step)
                self._seen.add(stamp)
        except Exception:
            if _stamp(checkpoint) == stamp:
                raise
        if _stamp(checkpoint) is None and stamp not in self._seen:
            print("%s is gone, the run keeps the newest ones alone" % checkpoint, flush=True)

    def _wait(self) -> None:
        if not (self._said_waiting or self._seen or self._warned):
            self._said_waiting = True
            print("waiting for the first checkpoint in %s" % self._model_dir, flush=True)
        end = time.monotonic() + self._seconds
        while time.monotonic() < end:
            if self._interruption.received:
                raise Interrupted
            time.sleep(min(_NAP, self._seconds))


def _stamp(prefix: str) -> Optional[Tuple[str, int]]:
    """What tells a checkpoint from a later one of the same name; None once it is gone."""
    try:
        return prefix, os.stat(prefix + ".index").st_mtime_ns
    except FileNotFoundError:
        return None
