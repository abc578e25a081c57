"""Losses between two points of a curve: their means, each scale by itself."""

from typing import Dict, List

TOTAL, _LOSS = "loss/total", "loss/"


class Means:
    """Collects the values of steps until a point is due.

    The losses of steps on different scales differ by far more than learning changes them; so where
    a step trains one scale, they are kept by scale, as `loss/x2` and `loss/x2/recursion_04`.
    """

    def __init__(self) -> None:
        self._losses: Dict[str, List[float]] = {}
        self._others: Dict[str, float] = {}

    def add(self, values: Dict[str, float]) -> None:
        """Adds a step.

        Args:
          values: its scalars by name; "scale" among them where it trained one alone.
        """
        values = dict(values)
        scale = values.pop("scale", None)
        for name, value in values.items():
            if not name.startswith(_LOSS):
                self._others[name] = value
                continue
            if scale is None or name == TOTAL:
                self._losses.setdefault(name, []).append(value)
            if scale is not None:
                part = "" if name == TOTAL else "/" + name[len(_LOSS) :]
                self._losses.setdefault("%sx%d%s" % (_LOSS, scale, part), []).append(value)

    def take(self) -> Dict[str, float]:
        """The mean of each loss since the last call, and of all else the last value."""
        taken = {name: sum(values) / len(values) for name, values in self._losses.items()}
        taken.update(self._others)
        self._losses, self._others = {}, {}
        return taken
