"""Capacity: whether this machine has memory for one more frozen cluster, and idle cores to create one meanwhile."""

import os

from chaos_harness.clusters.machine.memory import available_mib
from chaos_harness.clusters.shape import Shape

__all__ = ["memory_refusal", "processor_refusal"]

_RESERVE_MIB = 2048
_MAKING_CORES = 2.0


def memory_refusal(shape: Shape) -> str | None:
    """Return why there is no memory to keep a cluster of `shape` beside a working one, or None."""
    free, wanted = available_mib(), shape.memory_mib + _RESERVE_MIB
    return None if free is None or free >= wanted else f"{free} MiB of memory are available, {wanted} MiB should be"


def processor_refusal() -> str | None:
    """Return why no cluster should be created while a scenario measures something, or None."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    left = cores - os.getloadavg()[0]
    if left >= _MAKING_CORES:
        return None
    return f"{max(left, 0):.1f} of {cores} cores are idle, {_MAKING_CORES:g} should be"
