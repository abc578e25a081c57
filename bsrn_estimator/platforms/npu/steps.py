"""Steps in loops on the device: every count of steps has to be a multiple of the loop.

With `iterations_per_loop` N the device makes N steps in one run of the session. Nothing on the host
happens in between: training that should end inside a loop goes on to its end, a checkpoint waits.
"""

from typing import List

from bsrn_estimator.errors import UserError


def rounded_up(steps: int, loop: int) -> int:
    """The smallest multiple of `loop` that is not below `steps`."""
    return -(-steps // loop) * loop


def check_loop(loop: int, start_step: int, train_steps: int, save_steps: int) -> None:
    """Checks that training begins, saves and ends between loops.

    Args:
      loop: steps that the device makes in one run (--iterations_per_loop).
      start_step: steps already taken.
      train_steps: the step that ends training (--train_steps).
      save_steps: steps between checkpoints (--save_checkpoints_steps).

    Raises:
      UserError: a number does not fit; the sentence says which ones would.
    """
    remaining = max(train_steps - start_step, 0)
    if remaining % loop:
        whole = start_step + rounded_up(remaining, loop)
        since = " from step %d, where training resumes," % start_step if start_step else ""
        nearest = [step for step in (whole - loop, whole) if step > start_step]
        raise UserError(
            "--iterations_per_loop=%d does not divide the %d steps%s to --train_steps=%d; give "
            "--train_steps=%s or --iterations_per_loop=%s"
            % (
                loop,
                remaining,
                since,
                train_steps,
                " or ".join(map(str, nearest)),
                " or ".join(map(str, nearest_divisors(remaining, loop))),
            )
        )
    if save_steps % loop:
        raise UserError(
            "--iterations_per_loop=%d does not divide --save_checkpoints_steps=%d, and checkpoints "
            "are saved between loops only; give --save_checkpoints_steps=%d"
            % (loop, save_steps, rounded_up(save_steps, loop))
        )


def nearest_divisors(number: int, wanted: int) -> List[int]:
    """The divisors of `number` next to `wanted`: the largest below, the smallest above."""
    below = max(value for value in range(1, min(wanted, number) + 1) if number % value == 0)
    above = [value for value in range(wanted, number + 1) if number % value == 0][:1]
    return [below] + [value for value in above if value != below]
