"""The scales that there are, and what is said of those that a user names."""

from typing import Iterable, Sequence, Tuple, Union

from bsrn_estimator.errors import UserError

SUPPORTED = (2, 3, 4, 8)
NAMES = ", ".join(map(str, SUPPORTED))


def parsed(named: Union[str, Iterable[str]]) -> Tuple[int, ...]:
    """The scales of `--scales`, ascending: "4,2", or a list of such parts, is (2, 4).

    Raises:
      UserError: one of them is not a scale that there is.
    """
    parts = named.split(",") if isinstance(named, str) else list(named)
    try:
        scales = tuple(sorted({int(part) for part in parts}))
    except ValueError:
        raise UserError(
            "--scales takes numbers such as 2,3,4, not %s" % ",".join(map(str, parts))
        ) from None
    check(scales)
    return scales


def check(scales: Sequence[int]) -> None:
    """Raises UserError unless `scales` are different ones of `SUPPORTED` in ascending order."""
    ascending = list(scales) == sorted(set(scales))
    if not scales or not set(scales) <= set(SUPPORTED) or not ascending:
        raise UserError(
            "--scales takes different ones of %s in ascending order, not %s"
            % (NAMES, ",".join(map(str, scales)) or "nothing")
        )


def require(wanted: Iterable[int], held: Sequence[int], holder: str) -> None:
    """Raises UserError where one of the scales `wanted` is not among those that `holder` has."""
    missing = sorted(set(wanted) - set(held))
    if missing:
        raise UserError(
            "--scales=%s: %s has %s alone"
            % (",".join(map(str, missing)), holder, listed(sorted(held)))
        )


def listed(scales: Iterable[int]) -> str:
    """Scales as a person reads them: "x2, x3, x4"."""
    return ", ".join("x%d" % scale for scale in scales)
