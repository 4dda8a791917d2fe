"""Capacity: whether this machine has memory for one more frozen cluster, and idle cores to create one meanwhile."""

import os
from pathlib import Path

from chaos_harness.clusters.shape import Shape

__all__ = ["memory_refusal", "processor_refusal"]

_MEMINFO = Path("/proc/meminfo")
_RESERVE_MIB = 2048
_MAKING_CORES = 2.0


def memory_refusal(shape: Shape) -> str | None:
    """Return why there is no memory to keep a cluster of `shape` beside a working one, or None."""
    lines = dict(line.split(":", 1) for line in _MEMINFO.read_text(encoding="ascii").splitlines())
    free = int(lines["MemAvailable"].split()[0]) // 1024
    wanted = shape.memory_mib + _RESERVE_MIB
    return None if free >= wanted else f"{free} MiB of memory are available, {wanted} MiB should be"


def processor_refusal() -> str | None:
    """Return why no cluster should be created while a scenario measures something, or None."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    left = cores - os.getloadavg()[0]
    if left >= _MAKING_CORES:
        return None
    return f"{max(left, 0):.1f} of {cores} cores are idle, {_MAKING_CORES:g} should be"
