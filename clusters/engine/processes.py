"""Processes of a private engine: found by what stands on their command line, ended by pid and start time."""

import os
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from clusters.deadline import Deadline
from clusters.engine.layout import Layout

__all__ = ["Daemon", "cgroup_parents", "containers", "end", "find"]

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Daemon:
    """One process; pids are used again, so its start time (clock ticks since boot) is part of it."""

    pid: int
    start: str
    program: str

    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return _start(self.pid) == self.start


def find(layout: Layout, program: str) -> list[Daemon]:
    """Return the engine's processes of `program`: dockerd, containerd or containerd-shim-runc-v2.

    A daemon on its way to becoming `program` (setsid has forked, exec is yet to come) counts.
    """
    marks = {
        "dockerd": ("--config-file", str(layout.daemon_config)),
        "containerd": ("--config", str(layout.containerd_config)),
        "containerd-shim-runc-v2": ("-address", str(layout.containerd_socket)),
    }
    option, value = marks[program]
    return [
        Daemon(pid, start, program)
        for pid, words in _command_lines()
        if any(Path(word).name == program for word in words[:3])
        and (option, value) in pairwise(words)
        and (start := _start(pid))
    ]


def containers(layout: Layout, cgroups: Path = _CGROUPS) -> list[Daemon]:
    """Return what runs in the engine's containers: all that is in cgroups below its parent cgroup."""
    pids: set[int] = set()
    for parent in cgroup_parents(layout, cgroups):
        for file in [parent / "cgroup.procs", *parent.rglob("cgroup.procs")]:
            try:
                pids.update(int(word) for word in file.read_text().split())
            except OSError:
                continue
    return [Daemon(pid, start, "container") for pid in sorted(pids - {0}) if (start := _start(pid))]


def cgroup_parents(layout: Layout, cgroups: Path = _CGROUPS) -> list[Path]:
    """Return the directories of the engine's parent cgroup: one on cgroup v2, one per controller on v1."""
    found = [cgroups / layout.name, *(each / layout.name for each in cgroups.glob("*") if each.is_dir())]
    return [each for each in found if (each / "cgroup.procs").exists()]


def end(processes: Iterable[Daemon], deadline: Deadline, grace: float) -> list[Daemon]:
    """Send TERM, after `grace` seconds KILL, and return those that outlived the deadline."""
    left = [each for each in processes if each.alive()]
    _signal(left, signal.SIGTERM)
    for _ in deadline.within(grace, "processes to end").attempts():
        left = [each for each in left if each.alive()]
        if not left:
            return []
    _signal(left, signal.SIGKILL)
    for _ in deadline.attempts():
        left = [each for each in left if each.alive()]
        if not left:
            break
    return left


def _signal(processes: Iterable[Daemon], number: signal.Signals) -> None:
    for each in processes:
        try:
            handle = os.pidfd_open(each.pid)
        except ProcessLookupError:
            continue
        try:
            if each.alive():
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            continue
        finally:
            os.close(handle)


def _command_lines() -> Iterable[tuple[int, list[str]]]:
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            yield int(entry.name), words


def _start(pid: int) -> str | None:
    """Return the process's start time, None if it has ended; fields are counted behind the name's bracket."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else fields[19]
