"""Workers: how many clusters fit on this machine at once, by memory, CPUs and inotify limits."""

import os

from chaos_harness.clusters.engine import HostQuirks
from chaos_harness.clusters.machine.memory import available_mib
from chaos_harness.clusters.shape import Shape

__all__ = ["count_clusters", "count_fitting"]

_RESERVE_MIB = 1024
_CORES = 2
_INOTIFY_INSTANCES = 100
"""What systemd, containerd, the kubelet and the pods of one node need, with a margin."""
_MOST = 4
"""If more nodes boot at once, kind fails with its own time-outs."""


def count_fitting(shape: Shape, *, free_mib: int, cores: int, inotify_instances: int | None) -> int:
    """Return how many clusters of `shape` fit at once; at least 1."""
    limits = [_MOST, (free_mib - _RESERVE_MIB) // shape.memory_mib, cores // _CORES]
    if inotify_instances is not None:
        limits.append(inotify_instances // (_INOTIFY_INSTANCES * shape.nodes))
    return max(1, min(limits))


def count_clusters(shape: Shape) -> int:
    """Return how many clusters of `shape` fit on this machine at once, now; 1 if its free memory is not known."""
    return count_fitting(
        shape,
        free_mib=available_mib() or 0,
        cores=os.cpu_count() or 1,
        inotify_instances=HostQuirks.detect().inotify_instances,
    )
