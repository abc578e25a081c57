"""What is said of pictures that cannot be converted."""

from typing import List, Tuple

SKIP_WAY = "--skip_bad leaves such pictures out"


def refusal(problems: List[Tuple[str, str]], *ways: str) -> str:
    """The first problem, how many there are, and the ways round them that lead somewhere."""
    more = len(problems) - 1
    others = " (and %d more)" % more if more else ""
    return "; ".join([problems[0][1] + others] + [way for way in ways if way])
