"""How many cores of the CPU there are to work on."""

import os

__all__ = ["core_count"]


def core_count() -> int:
    """Cores that this process may use, which Slurm, containers or `taskset` may have limited."""
    if hasattr(os, "process_cpu_count"):  # from Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
