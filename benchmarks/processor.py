"""Processor time of the API server, as the kernel counts it for its container."""

from chaos_harness.clusters.cluster import Cluster
from chaos_harness.clusters.deadline import Deadline

__all__ = ["api_server_seconds"]

_SECONDS = 20.0
# Prints microseconds; cgroup v2 has one hierarchy, v1 one for the processor.
_USED = r"""
pid=$(pgrep --oldest --full '^kube-apiserver ')
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
    sed -n 's/^usage_usec //p' "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$pid/cgroup")/cpu.stat"
else
    found=$(sed -nE 's/^[0-9]+:(cpuacct|cpu,cpuacct|cpuacct,cpu)://p' "/proc/$pid/cgroup")
    echo $(($(cat "/sys/fs/cgroup/cpuacct$found/cpuacct.usage") / 1000))
fi
"""


def api_server_seconds(cluster: Cluster) -> float:
    """Return the processor seconds of the first control plane's API server since its container started.

    Raises CommandFailed, DeadlineExceeded.
    """
    deadline = Deadline.after(_SECONDS, "what the API server has used")
    done = cluster.exec(cluster.control_planes[0], ["bash", "-c", _USED], deadline)
    return int(done.stdout) / 1e6
