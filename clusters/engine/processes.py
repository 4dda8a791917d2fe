"""Processes of a private engine: found by files that only root can have written, ended by PID and start time.

A daemon records its own PID and start time before it becomes dockerd or containerd; a process that listens on their
sockets, which are in a directory of root's, counts, too. A shim works in the directory of its container below there. A
command line proves nothing: any user, and any container, can choose its own.
"""

import os
import signal
import socket
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import user_engine
from chaos_harness.clusters.engine.cgroups import tree
from chaos_harness.clusters.engine.layout import Layout
from chaos_harness.clusters.machine.boot import BOOT_ID, boot_id
from chaos_harness.clusters.machine.process_starts import START, start_time, stat_fields

__all__ = ["Daemon", "cgroup_parents", "containers", "end", "find", "recording_command", "running"]

_PROC = Path("/proc")
_CGROUPS = Path("/sys/fs/cgroup")
_CONNECT_SECONDS = 5.0
_DAEMONS = ("dockerd", "containerd")
_SHIM = "containerd-shim-runc-v2"
_RECORD = f'cat /proc/$$/stat {BOOT_ID} > "$0.new" && mv "$0.new" "$0" && exec "$@"'


@dataclass(frozen=True)
class Daemon:
    """One process; PIDs are used again, so the start time (clock ticks since boot) is part of its identity."""

    pid: int
    start: str
    program: str

    def alive(self) -> bool:
        """Whether exactly this process still runs (a zombie does not)."""
        return start_time(self.pid) == self.start


def recording_command(layout: Layout, program: str, argv: Iterable[str | Path]) -> list[str | Path]:
    """Return a command that records its process and then becomes `argv`, to be found as `program`."""
    return ["sh", "-c", _RECORD, layout.record(program), *argv]


def find(layout: Layout, program: str) -> list[Daemon]:
    """Return the engine's processes of `program`: dockerd, containerd or containerd-shim-runc-v2."""
    if program == _SHIM:
        return list(_shims(layout))
    daemon = _read_record(layout.record(program)) or _find_listener(layout, program)
    return [daemon] if daemon else []


def running(layout: Layout) -> bool:
    """Whether a daemon of the engine runs, answering or not, visible from here or in another PID namespace."""
    return any(find(layout, program) for program in _DAEMONS) or any(
        _takes_connections(path) for path in (layout.socket, layout.containerd_socket)
    )


def containers(layout: Layout, cgroups: Path = _CGROUPS) -> list[Daemon]:
    """Return the processes of the engine's containers: everything in cgroups below its parent cgroup."""
    pids: set[int] = set()
    for parent in cgroup_parents(layout, cgroups):
        for cgroup in tree(parent):
            try:
                pids.update(int(word) for word in (cgroup / "cgroup.procs").read_text().split())
            except OSError:
                continue
    return [Daemon(pid, start, "container") for pid in sorted(pids - {0}) if (start := start_time(pid))]


def cgroup_parents(layout: Layout, cgroups: Path = _CGROUPS) -> list[Path]:
    """Return the directories of the engine's parent cgroup: one on cgroup v2, one for each controller on v1."""
    parents = [
        cgroups / layout.name,
        *(controller / layout.name for controller in cgroups.glob("*") if controller.is_dir()),
    ]
    return [parent for parent in parents if (parent / "cgroup.procs").exists()]


def end(processes: Iterable[Daemon], deadline: Deadline, grace: float) -> list[Daemon]:
    """Send TERM, after `grace` seconds KILL, and return the processes that still run at the deadline."""
    left = [daemon for daemon in processes if daemon.alive()]
    _signal(left, signal.SIGTERM)
    for _ in deadline.within(grace, "processes to end").attempts():
        left = [daemon for daemon in left if daemon.alive()]
        if not left:
            return []
    _signal(left, signal.SIGKILL)
    for _ in deadline.attempts():
        left = [daemon for daemon in left if daemon.alive()]
        if not left:
            break
    return left


def _signal(processes: Iterable[Daemon], number: signal.Signals) -> None:
    for daemon in processes:
        try:
            handle = os.pidfd_open(daemon.pid)
        except ProcessLookupError:
            continue
        try:
            if daemon.alive():
                signal.pidfd_send_signal(handle, number)
        except ProcessLookupError:
            continue
        finally:
            os.close(handle)


def _read_record(record: Path) -> Daemon | None:
    """Return the process that wrote `record`, if it still has its PID."""
    try:
        stat, boot = record.read_text(encoding="utf-8", errors="replace").splitlines()
        pid, start = int(stat.split()[0]), stat_fields(stat)[START]
    except (OSError, ValueError, IndexError):
        return None
    ours = boot == boot_id() and start_time(pid) == start
    return Daemon(pid, start, record.stem) if ours else None


def _find_listener(layout: Layout, program: str) -> Daemon | None:
    path = layout.socket if program == "dockerd" else layout.containerd_socket
    pid = user_engine.listener(f"unix://{path}") if path.exists() else None
    return _daemon(pid, program) if pid else None


def _takes_connections(path: Path) -> bool:
    with closing(socket.socket(socket.AF_UNIX)) as connection:
        connection.settimeout(_CONNECT_SECONDS)
        try:
            connection.connect(str(path))
        except TimeoutError:
            return True
        except OSError:
            return False
        return True


def _shims(layout: Layout) -> Iterator[Daemon]:
    root, below = (_PROC / "self" / "root").stat(), layout.containerd_state.resolve()
    for entry in _PROC.iterdir():
        try:
            place = (entry / "cwd").readlink()
            program = (entry / "exe").readlink().name.removesuffix(" (deleted)")
            same_root = os.path.samestat((entry / "root").stat(), root)
        except OSError:
            continue
        if entry.name.isdigit() and same_root and program == _SHIM and below in place.parents:
            daemon = _daemon(int(entry.name), _SHIM)
            if daemon:
                yield daemon


def _daemon(pid: int, program: str) -> Daemon | None:
    start = start_time(pid)
    return Daemon(pid, start, program) if start else None
