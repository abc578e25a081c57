"""How many cores this process may use, which in a container are fewer than the machine has."""

import os


def usable() -> int:
    """The number of cores, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # not on Linux
