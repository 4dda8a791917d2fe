"""Cgroups: where, in a node, the kernel has the processes of a container together."""

__all__ = ["CGROUP"]

CGROUP = r"""
cgroup() {
    if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
        echo /sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$1/cgroup")
    else
        echo /sys/fs/cgroup/cpu$(sed -nE 's/^[0-9]+:(cpu|cpu,cpuacct|cpuacct,cpu)://p' "/proc/$1/cgroup")
    fi
}
"""
"""A function of bash that prints the folder of a process's cgroup. Version 1 has many hierarchies: that of the CPU."""
