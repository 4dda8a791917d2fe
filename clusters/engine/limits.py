"""Kernel settings that a private engine changes: recorded before, and restored when it stops.

systemd, kubelet and containerd of every node share one limit of inotify instances per user. The kernel's usual 128
suffice for two clusters; the kubelets of a third one fail with "too many open files" (kind's known issues). dockerd
enables routing, and kubelets set kernel parameters, which they share with the host: setupIPv4Forwarding and
ModifyRootKeyLimit of moby, setupKernelTunables of the kubelet.
"""

import contextlib
from pathlib import Path

from chaos_harness.clusters.engine.layout import Layout
from chaos_harness.clusters.machine import traces
from chaos_harness.clusters.machine.traces import Trace

__all__ = ["FORWARDING", "SET", "WANTED", "pending_changes", "raise_limits", "record_settings", "restore"]

WANTED = {"fs/inotify/max_user_instances": 1024, "fs/inotify/max_user_watches": 1 << 20}
"""Values that we raise, below /proc/sys."""

FORWARDING = "net/ipv4/ip_forward"

SET = {
    FORWARDING: 1,
    "kernel/keys/root_maxkeys": 1_000_000,
    "kernel/keys/root_maxbytes": 25_000_000,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
}
"""Values that the engine and the kubelets in it set, below /proc/sys."""

_SYS = Path("/proc/sys")
_INTERFACES = Path("/sys/class/net")


def pending_changes(sys: Path = _SYS) -> list[tuple[str, int, int]]:
    """Return the settings that an engine would change on this machine: name below /proc/sys, value now, and then."""
    higher = [
        (name, now, value) for name, value in WANTED.items() if (now := _value(name, sys)) is not None and now < value
    ]
    return higher + [
        (name, now, value) for name, value in SET.items() if (now := _value(name, sys)) not in (None, value)
    ]


def record_settings(layout: Layout, sys: Path = _SYS) -> None:
    """Record the values that the engine will change, before it starts. Raises HarnessError if that is impossible."""
    for name, now, value in pending_changes(sys):
        if name in SET:
            _record(layout, name, now, value)


def raise_limits(layout: Layout, sys: Path = _SYS) -> None:
    """Raise the values that are lower than wanted, and record the old ones; no other value is touched.

    If the host does not allow it, the limits stay: `nox -s doctor` reports that. Raises HarnessError if the journal
    cannot be written.
    """
    for name, now, value in pending_changes(sys):
        if name in WANTED:
            _record(layout, name, now, value)
            with contextlib.suppress(OSError):
                (sys / name).write_text(str(value))


def restore(trace: Trace, sys: Path = _SYS, interfaces: Path = _INTERFACES) -> bool:
    """Restore one value, unless somebody else has changed it since; return whether nothing is left to do.

    IP forwarding stays on while somebody else, who found it switched on, may need it.
    """
    name = trace.name
    if str(_value(name, sys)) != trace.after:
        return True
    if name == FORWARDING and _is_router_for_others(interfaces):
        return False
    with contextlib.suppress(OSError):
        (sys / name).write_text(trace.before)
    return True


def _record(layout: Layout, name: str, before: int, after: int) -> None:
    traces.record(traces.SYSCTL, name, before=str(before), after=str(after), holder=str(layout.run))


def _is_router_for_others(interfaces: Path = _INTERFACES) -> bool:
    """Whether this host has a bridge or tunnel of an engine, hypervisor or VPN; ours are removed by then."""
    marks = ("bridge", "tun_flags")
    return any((interface / mark).exists() for interface in interfaces.glob("*") for mark in marks) or any(
        "DEVTYPE=wireguard" in _text(interface / "uevent") for interface in interfaces.glob("*")
    )


def _value(name: str, sys: Path = _SYS) -> int | None:
    """Return the value of `name`, None if this kernel has no such setting."""
    try:
        return int(_text(sys / name))
    except ValueError:
        return None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
