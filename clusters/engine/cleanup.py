"""Clean-up of a private engine: removes what is left when its processes were killed."""

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from chaos_harness.clusters.deadline import Deadline
from chaos_harness.clusters.engine import firewall, processes
from chaos_harness.clusters.engine.cgroups import tree
from chaos_harness.clusters.engine.freezer import thaw
from chaos_harness.clusters.engine.layout import Layout
from chaos_harness.clusters.errors import EngineUnavailable
from chaos_harness.clusters.machine.mounts import mount_points
from chaos_harness.clusters.machine.process import run
from chaos_harness.clusters.machine.removal import remove_folder

__all__ = ["clear", "mount_points", "shim_sockets"]

_SHIM_SOCKETS = Path("/run/containerd/s")
_PROGRAMS = ("dockerd", "containerd", "containerd-shim-runc-v2")
_CLEAR_SECONDS = 90
_GRACE_SECONDS = 3
_KEPT = ("lock",)


def clear(layout: Layout) -> None:
    """End every process of the engine; remove its mounts, cgroups, bridges, iptables rules, sockets and pidfiles.

    Images and stopped containers stay. Raises EngineUnavailable if something cannot be removed.
    """
    deadline = Deadline.after(_CLEAR_SECONDS, f"the removal of what is left of the engine at {layout.host}")
    roots = {layout.data, _last_data_directory(layout)}
    thaw(processes.cgroup_parents(layout))
    for program in _PROGRAMS:
        _wait_gone(processes.find(layout, program), deadline)
    _wait_gone(processes.containers(layout), deadline)
    _unmount([layout.run, *roots], deadline)
    _remove_cgroups(layout)
    for bridge in _bridges(roots):
        run(["ip", "link", "delete", bridge], deadline, check=False)
    for path in shim_sockets(layout, roots):
        path.unlink()
    if shutil.which("iptables"):
        firewall.remove(layout.chain)
    for entry in layout.run.iterdir():
        if entry.name in _KEPT:
            continue
        if entry.is_dir() and not entry.is_symlink():
            remove_folder(entry)
        else:
            entry.unlink(missing_ok=True)


def shim_sockets(layout: Layout, roots: Iterable[Path]) -> list[Path]:
    """Return the sockets of the shims of the engine's containers; they are in one folder for all engines.

    Their names follow pkg/shim.SocketAddress in containerd: a digest of its address, Docker's namespace and the
    container.
    """
    containers = [directory.name for root in roots for directory in (root / "docker" / "containers").glob("*")]
    names = [
        hashlib.sha256(f"{layout.containerd_socket}/moby/{container}".encode()).hexdigest() for container in containers
    ]
    return [_SHIM_SOCKETS / name for name in names if (_SHIM_SOCKETS / name).exists()]


def _wait_gone(daemons: list[processes.Daemon], deadline: Deadline) -> None:
    left = processes.end(daemons, deadline, _GRACE_SECONDS)
    if left:
        pids = " ".join(str(daemon.pid) for daemon in left)
        raise EngineUnavailable(
            f"expected {left[0].program} to end within {deadline.seconds:.0f} s of KILL; still there: {pids}; "
            f"`ps -o pid,stat,wchan,args -p {pids.replace(' ', ',')}` shows what holds them"
        )


def _unmount(below: list[Path], deadline: Deadline) -> None:
    for _ in deadline.attempts():
        points = mount_points(below)
        if not points:
            return
        for point in points:
            run(["umount", "--lazy", point], deadline, check=False)
    raise EngineUnavailable(
        f"expected no mount below {' or '.join(map(str, below))} after {deadline.seconds:.0f} s; "
        f"still there: {', '.join(mount_points(below))}; `umount --lazy` them"
    )


def _remove_cgroups(layout: Layout) -> None:
    for parent in processes.cgroup_parents(layout):
        for directory in tree(parent):
            with contextlib.suppress(OSError):
                directory.rmdir()


def _bridges(roots: Iterable[Path]) -> set[str]:
    """Return the bridges named in our dockerd's own database of networks; their names are random."""
    names = set()
    for root in roots:
        with contextlib.suppress(OSError):
            database = (root / "docker" / "network" / "files" / "local-kv.db").read_bytes()
            names |= {name.decode() for name in re.findall(rb'"BridgeName":"(br-[0-9a-f]{12})"', database)}
    return {name for name in names if Path("/sys/class/net", name).exists()}


def _last_data_directory(layout: Layout) -> Path:
    """Return the data directory of the engine that ran last; it may have had another $XDG_CACHE_HOME."""
    try:
        return Path(json.loads(layout.daemon_config.read_text())["data-root"]).parent
    except (OSError, ValueError, KeyError):
        return layout.data
