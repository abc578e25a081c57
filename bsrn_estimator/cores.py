"""The processor: the cores this process may use, fewer in a container, and its instructions."""

import os

# What Linux calls the instructions for products of bfloat16.
BFLOAT16_INSTRUCTIONS = {"avx512_bf16", "amx_bf16"}


def usable() -> int:
    """The number of cores, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # not on Linux


def processor_flags() -> set:
    """The instruction sets of this processor, as Linux names them; empty where it does not say."""
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("flags"):
                    return set(line.split(":", 1)[1].split())
    except OSError:
        pass
    return set()
